import { Buffer } from "node:buffer";
import type { Part } from "@google/generative-ai";
import { ExecutorError } from "../../_shared/executor/error.ts";
import { DEFAULT_BASE_URL } from "../config.ts";
import { untilActive, uploadFile } from "../files/api.ts";
import type { FilesContext } from "../files/call.ts";
import { CHUNK_TARGET_BYTES } from "../files/chunks.ts";
import { type OpenContext, type OpenMedia, openMedia } from "./open.ts";
import type { MediaReference } from "./reference.ts";

/** What attaching media goes by. */
export interface AttachContext extends FilesContext {
  open: OpenContext;
  /** Refuses a kind of media that the task cannot work with. */
  accept: (mimeType: string, label: string) => void;
  /** Waits for memory; called once, before anything is read. */
  reserve: (bytes: number) => Promise<void>;
  /** Told of each file as soon as Gemini holds it, so that it can be deleted whatever comes. */
  onUpload: (fileName: string) => void;
}

/** Media as parts of a request. */
export interface Attached {
  parts: Part[];
  /** Bytes that travel inside the request. */
  inlineBytes: number;
  /** Bytes that went by the Files API. */
  uploadedBytes: number;
}

/**
 * Attaches media to a request, one after the other: inside it while there is room
 * (`inline_max_bytes` for all together), by the Files API beyond that.
 *
 * @throws {ExecutorError} for media that cannot be fetched, accepted or uploaded.
 */
export async function attachMedia(
  references: readonly MediaReference[],
  context: AttachContext,
): Promise<Attached> {
  const attached: Attached = { parts: [], inlineBytes: 0, uploadedBytes: 0 };
  const most = Math.max(context.config.inline_max_bytes, CHUNK_TARGET_BYTES);
  let reserved = false;
  for (const reference of references) {
    if (reference.kind === "file") {
      attached.parts.push(filePart(reference, context));
      continue;
    }
    const media = await openMedia(reference, context.open);
    try {
      context.accept(media.mimeType, media.label);
      if (!reserved) {
        // For all media at once: tasks that each hold some and wait for more would wait for ever.
        const size = references.length === 1 ? media.size : undefined;
        await context.reserve(Math.min(size ?? most, most));
        reserved = true;
      }
      await attach(media, attached, context);
    } finally {
      await media.close();
    }
  }
  return attached;
}

async function attach(media: OpenMedia, attached: Attached, context: AttachContext): Promise<void> {
  const { mimeType, label } = media;
  const room = context.config.inline_max_bytes - attached.inlineBytes;
  const { pieces, size, complete } = await readUpTo(media, room);
  if (complete) {
    if (size === 0) {
      throw new ExecutorError("input_invalid", `${label} is empty`);
    }
    attached.inlineBytes += size;
    const data = Buffer.concat(pieces).toString("base64");
    attached.parts.push({ inlineData: { mimeType, data } });
    return;
  }
  const counter = { bytes: 0 };
  const bytes = counted(pieces, media.bytes, counter);
  const file = await uploadFile(context, bytes, mimeType, media.size);
  context.onUpload(file.name);
  attached.uploadedBytes += counter.bytes;
  const active = await untilActive(context, file, label);
  attached.parts.push({ fileData: { mimeType, fileUri: active.uri } });
}

/** Reads until the source ends or holds more than there is room for; nothing is lost. */
async function readUpTo(
  media: OpenMedia,
  room: number,
): Promise<{ pieces: Uint8Array[]; size: number; complete: boolean }> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  if (media.size !== undefined && media.size > room) {
    return { pieces, size, complete: false };
  }
  for (;;) {
    const { done, value } = await media.bytes.next();
    if (done) return { pieces, size, complete: true };
    pieces.push(value);
    size += value.byteLength;
    if (size > room) return { pieces, size, complete: false };
  }
}

async function* counted(
  before: Uint8Array[],
  rest: AsyncIterable<Uint8Array>,
  counter: { bytes: number },
): AsyncGenerator<Uint8Array> {
  for (
    let piece = before.shift();
    piece !== undefined;
    piece = before.shift()
  ) {
    counter.bytes += piece.byteLength;
    yield piece;
  }
  for await (const piece of rest) {
    counter.bytes += piece.byteLength;
    yield piece;
  }
}

/** A file that Gemini holds already: only its own store is let through, no other address. */
function filePart(
  { uri, mimeType, label }: Extract<MediaReference, { kind: "file" }>,
  { config, accept }: AttachContext,
): Part {
  if (!config.allow_file_uris) {
    throw new ExecutorError(
      "input_invalid",
      `${label}.file_uri cannot be used as the transformer does not set allow_file_uris`,
    );
  }
  const type = mimeType ?? "";
  accept(type, label);
  const path = `/${config.api_version}/files/`;
  const allowed = [DEFAULT_BASE_URL, config.base_url].some((base) =>
    uri.startsWith(`${base}${path}`) &&
    /^[\w-]+$/.test(uri.slice(base.length + path.length))
  );
  if (!allowed) {
    throw new ExecutorError(
      "input_invalid",
      `${label}.file_uri must be that of a file in Gemini's Files API`,
    );
  }
  return { fileData: { mimeType: type, fileUri: uri } };
}
