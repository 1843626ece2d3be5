import { ExecutorError } from "../../_shared/executor/error.ts";
import type { GeminiConfig } from "../config.ts";
import { deadlineFailure } from "../failure.ts";
import { callFiles, type FilesContext, readJson } from "./call.ts";
import { chunkSize, chunksOf } from "./chunks.ts";

/** A file in Gemini's own store, which keeps it for 48 hours at most. */
export interface GeminiFile {
  /** `files/…` */
  name: string;
  uri: string;
  mimeType: string;
  state: string;
  /** Why processing failed. */
  reason?: string | undefined;
}

const DELETE_TIMEOUT_MS = 5_000;
const POLL_MS = { first: 250, factor: 1.6, most: 5_000 };

/**
 * Uploads a stream of bytes, chunk by chunk (Google's resumable protocol), so that a file may be
 * much larger than the isolate's memory. There is no disk on the edge, which the SDK's own
 * uploader wants.
 *
 * @param size bytes, if known.
 * @throws {ExecutorError} when Gemini refuses, cannot be reached, or the source fails.
 */
export async function uploadFile(
  context: FilesContext,
  source: AsyncIterable<Uint8Array>,
  mimeType: string,
  size: number | undefined,
): Promise<GeminiFile> {
  const { url, chunkBytes } = await startUpload(context, mimeType, size);
  let offset = 0;
  for await (const { bytes, last } of chunksOf(source, chunkBytes)) {
    const answer = await callFiles(context, "the upload of media", url, {
      method: "POST",
      headers: {
        "x-goog-upload-command": last ? "upload, finalize" : "upload",
        "x-goog-upload-offset": String(offset),
      },
      body: bytes,
    });
    offset += bytes.byteLength;
    if (last) {
      return fileOf(((await readJson(answer)) as { file?: unknown } | null)?.file);
    }
    await answer.body?.cancel();
  }
  throw new ExecutorError("internal", "The upload of media came to no end");
}

/**
 * Waits until Gemini has processed a file.
 *
 * @throws {ExecutorError} `gemini.file_failed` when it could not.
 */
export async function untilActive(
  context: FilesContext,
  file: GeminiFile,
  label: string,
): Promise<GeminiFile> {
  let current = file;
  for (
    let wait = POLL_MS.first;
    current.state === "PROCESSING";
    wait *= POLL_MS.factor
  ) {
    await sleep(Math.min(wait, POLL_MS.most), context.signal);
    const answer = await callFiles(
      context,
      "files.get",
      fileUrl(context.config, file.name),
      { headers: { "x-goog-api-key": context.key } },
    );
    current = fileOf(await readJson(answer));
  }
  if (current.state !== "FAILED") return current;
  throw new ExecutorError(
    "gemini.file_failed",
    `Gemini could not process ${label}${current.reason ? `: ${current.reason}` : ""}`,
  );
}

/** Deletes a file. It would vanish by itself within 48 hours, so a failure is only told. */
export async function deleteFile(
  { config, key }: Omit<FilesContext, "signal">,
  name: string,
): Promise<boolean> {
  // Not the task's signal: a task that ran out of time cleans up as well.
  const context = { config, key, signal: AbortSignal.timeout(DELETE_TIMEOUT_MS) };
  try {
    const answer = await callFiles(
      context,
      "files.delete",
      fileUrl(config, name),
      { method: "DELETE", headers: { "x-goog-api-key": key } },
    );
    await answer.body?.cancel();
    return true;
  } catch (error) {
    if (error instanceof ExecutorError) return false;
    throw error;
  }
}

async function startUpload(
  context: FilesContext,
  mimeType: string,
  size: number | undefined,
): Promise<{ url: string; chunkBytes: number }> {
  const { config, key } = context;
  const answer = await callFiles(
    context,
    "the start of an upload",
    `${config.base_url}/upload/${config.api_version}/files`,
    {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "x-goog-api-key": key,
        "x-goog-upload-protocol": "resumable",
        "x-goog-upload-command": "start",
        "x-goog-upload-header-content-type": mimeType,
        ...(size === undefined ? {} : { "x-goog-upload-header-content-length": String(size) }),
      },
      body: JSON.stringify({ file: { display_name: "millrace" } }),
    },
  );
  await answer.body?.cancel();
  const url = answer.headers.get("x-goog-upload-url") ?? "";
  // The media go where this header says: to Google or to the configured host, nowhere else.
  const host = URL.canParse(url) ? new URL(url).hostname : "";
  if (host !== new URL(config.base_url).hostname && !host.endsWith(".googleapis.com")) {
    throw new ExecutorError("invalid_result", "Gemini named no usable upload URL");
  }
  return {
    url,
    chunkBytes: chunkSize(answer.headers.get("x-goog-upload-chunk-granularity")),
  };
}

function fileOf(value: unknown): GeminiFile {
  const file = (value ?? {}) as Record<string, unknown>;
  const { name, uri, mimeType, state, error } = file;
  if (typeof name !== "string" || !/^files\/[\w-]+$/.test(name) || typeof uri !== "string") {
    throw new ExecutorError("invalid_result", "Gemini's Files API answered no file");
  }
  const reason = (error as { message?: unknown } | undefined)?.message;
  return {
    name,
    uri,
    mimeType: typeof mimeType === "string" ? mimeType : "",
    state: typeof state === "string" ? state : "ACTIVE",
    reason: typeof reason === "string" ? reason.slice(0, 200) : undefined,
  };
}

function fileUrl(config: GeminiConfig, name: string): string {
  return `${config.base_url}/${config.api_version}/${name}`;
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(deadlineFailure("the processing of media"));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}
