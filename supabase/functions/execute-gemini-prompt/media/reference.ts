import { z } from "zod";
import { ExecutorError } from "../../_shared/executor/error.ts";

/** A medium as the task's input names it; `label` is how errors call it: `media[0]`. */
export type MediaReference =
  & { label: string; mimeType: string | undefined }
  & (
    | { kind: "url"; url: string }
    | { kind: "data"; base64: string }
    | { kind: "storage"; bucket: string; path: string }
    | { kind: "file"; uri: string }
  );

/** Media of one task. */
const MAX_MEDIA = 20;
const FORMS = "{url}, {data, mime_type}, {bucket, path} or {file_uri, mime_type}";
const mimeType = z.string().regex(/^[a-z]+\/[\w.+-]+$/i, {
  error: "must be a MIME type such as audio/mp3",
});

const formSchema = z.union([
  z.strictObject({ url: z.string().min(1), mime_type: mimeType.optional() }),
  z.strictObject({ data: z.string().min(1), mime_type: mimeType.optional() }),
  z.strictObject({
    bucket: z.string().min(1),
    path: z.string().min(1),
    mime_type: mimeType.optional(),
  }),
  z.strictObject({ file_uri: z.string().min(1), mime_type: mimeType }),
]);

/**
 * Finds the media in a task's input: under each of the given keys a URL, an object of one of the
 * forms, or an array of those. A key that is missing or `null` holds none.
 *
 * @throws {ExecutorError} `input_invalid`, which names the place.
 */
export function mediaReferences(keys: readonly string[], input: unknown): MediaReference[] {
  if (typeof input !== "object" || input === null) return [];
  const references = keys.flatMap((key) => {
    const value = Object.hasOwn(input, key) ? (input as Record<string, unknown>)[key] : undefined;
    if (value === undefined || value === null) return [];
    return Array.isArray(value)
      ? value.map((each, index) => reference(each, `${key}[${index}]`))
      : [reference(value, key)];
  });
  if (references.length <= MAX_MEDIA) return references;
  throw new ExecutorError(
    "input_invalid",
    `The input may hold at most ${MAX_MEDIA} media: current number is ${references.length}`,
  );
}

function reference(value: unknown, label: string): MediaReference {
  if (typeof value === "string" && value !== "") {
    return { kind: "url", label, url: value, mimeType: undefined };
  }
  const parsed = formSchema.safeParse(value);
  if (!parsed.success) {
    throw new ExecutorError("input_invalid", `${label} must be a URL or of the form ${FORMS}`);
  }
  const { mime_type: mime, ...form } = parsed.data;
  if ("url" in form) {
    return { kind: "url", label, url: form.url, mimeType: mime };
  }
  if ("bucket" in form) {
    return { kind: "storage", label, ...form, mimeType: mime };
  }
  if ("file_uri" in form) {
    return { kind: "file", label, uri: form.file_uri, mimeType: mime };
  }
  return inlineReference(form.data, mime, label);
}

/** Takes plain base64, its URL-safe alphabet, and data URLs (what browsers make of a file). */
function inlineReference(data: string, mime: string | undefined, label: string): MediaReference {
  const [head = "", fromUrl] = /^data:([^;,]+);base64,/.exec(data) ?? [];
  const base64 = data.slice(head.length).replaceAll(/\s/g, "")
    .replaceAll("-", "+").replaceAll("_", "/").replace(/=+$/, "");
  if (base64 === "" || !/^[A-Za-z0-9+/]+$/.test(base64) || base64.length % 4 === 1) {
    throw new ExecutorError("input_invalid", `${label}.data must be base64`);
  }
  return {
    kind: "data",
    label,
    base64: base64.padEnd(Math.ceil(base64.length / 4) * 4, "="),
    mimeType: mime ?? fromUrl,
  };
}
