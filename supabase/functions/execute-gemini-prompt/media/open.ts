import { Buffer } from "node:buffer";
import type { ReadVariable } from "../../_shared/contracts/env.ts";
import { ExecutorError } from "../../_shared/executor/error.ts";
import { guardedFetch } from "../../_shared/executor/net/fetch.ts";
import { privateNetworkAllowed } from "../../_shared/executor/net/guard.ts";
import { deadlineFailure, retryAfterSeconds } from "../failure.ts";
import type { MediaReference } from "./reference.ts";
import { mimeTypeOf } from "./mime.ts";
import {
  checkStorageAccess,
  fetchFromStorage,
  type StorageRules,
  storageStatus,
} from "./storage.ts";

/** A medium whose bytes can be read, once. */
export interface OpenMedia {
  label: string;
  mimeType: string;
  /** Bytes, if known before reading. */
  size: number | undefined;
  bytes: AsyncGenerator<Uint8Array>;
  /** Lets go of the connection, whether or not anything was read. */
  close: () => Promise<void>;
}

/** What opening media goes by. */
export interface OpenContext {
  env: ReadVariable;
  signal: AbortSignal;
  storage: StorageRules;
  /** Bytes of one medium, at most. */
  maxBytes: number;
}

/** A reference to a medium that has bytes to read: all but a file that Gemini holds already. */
export type ReadableReference = Exclude<MediaReference, { kind: "file" }>;

/**
 * Opens a medium: asks its server, or decodes what the input holds. Nothing is read yet.
 *
 * @throws {ExecutorError} `input_invalid`, `payload_too_large`, `http_4xx`, `http_5xx`,
 * `rate_limited`, `network`, `timeout`, `http.url_refused`; the message names the medium.
 */
export async function openMedia(
  reference: ReadableReference,
  context: OpenContext,
): Promise<OpenMedia> {
  const { label } = reference;
  if (reference.kind === "data") {
    const bytes = Buffer.from(reference.base64, "base64");
    checkSize(bytes.byteLength, label, context.maxBytes);
    return {
      label,
      mimeType: known(mimeTypeOf({ declared: reference.mimeType }), label),
      size: bytes.byteLength,
      bytes: one(bytes),
      close: async () => {},
    };
  }
  const response = reference.kind === "url"
    ? await fetchUrl(reference.url, label, context)
    : await fetchObject(reference, context);
  try {
    const size = announcedSize(response);
    if (size !== undefined) checkSize(size, label, context.maxBytes);
    const mimeType = mimeTypeOf({
      declared: reference.mimeType,
      served: response.headers.get("content-type"),
      path: reference.kind === "url" ? new URL(reference.url).pathname : reference.path,
    });
    const bytes = read(response, label, context);
    return {
      label,
      mimeType: known(mimeType, label),
      size,
      bytes,
      close: async () => {
        await bytes.return(undefined);
        // A generator that was never asked has not touched the body.
        if (!response.bodyUsed) await response.body?.cancel();
      },
    };
  } catch (error) {
    await response.body?.cancel();
    throw error;
  }
}

async function fetchUrl(url: string, label: string, context: OpenContext): Promise<Response> {
  const { response, url: from } = await guarded(
    label,
    context.signal,
    () =>
      guardedFetch(url, { headers: { "accept-encoding": "identity" } }, {
        signal: context.signal,
        allowPrivate: privateNetworkAllowed({ get: context.env }),
      }),
  );
  if (response.ok) return response;
  await response.body?.cancel();
  throw refused(`${label} from ${from.origin}`, response.status, response);
}

async function fetchObject(
  reference: Extract<MediaReference, { kind: "storage" }>,
  context: OpenContext,
): Promise<Response> {
  const { label } = reference;
  checkStorageAccess(reference, context.storage);
  const response = await guarded(
    label,
    context.signal,
    () => fetchFromStorage(reference, context.env, context.signal),
  );
  if (response.ok) return response;
  throw refused(`${label} from Storage`, await storageStatus(response), response);
}

/** Names the medium in whatever error its source ends with. */
async function guarded<T>(label: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw sourceFailure(error, label, signal);
  }
}

function sourceFailure(error: unknown, label: string, signal: AbortSignal): ExecutorError {
  if (signal.aborted) return deadlineFailure(`the download of ${label}`, error);
  if (error instanceof ExecutorError) {
    return new ExecutorError(
      error.code,
      `${label}: ${error.message}`,
      error.more,
      { cause: error },
    );
  }
  return new ExecutorError(
    "network",
    `${label} cannot be read: the connection failed`,
    {},
    { cause: error },
  );
}

function refused(what: string, status: number, response: Response): ExecutorError {
  const code = status === 429 ? "rate_limited" : status >= 500 ? "http_5xx" : "http_4xx";
  const wait = retryAfterSeconds({ status, retryAfter: response.headers.get("retry-after") });
  return new ExecutorError(
    code,
    `Cannot fetch ${what}: it answered ${status}`,
    { ...(wait === undefined ? {} : { retry_after_seconds: wait }), details: { status } },
  );
}

async function* read(
  response: Response,
  label: string,
  { signal, maxBytes }: OpenContext,
): AsyncGenerator<Uint8Array> {
  let size = 0;
  try {
    for await (const piece of response.body ?? []) {
      size += piece.byteLength;
      checkSize(size, label, maxBytes);
      yield piece;
    }
  } catch (error) {
    throw error instanceof ExecutorError ? error : sourceFailure(error, label, signal);
  }
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** A compressed answer announces the size of something else. */
function announcedSize(response: Response): number | undefined {
  const header = response.headers.get("content-length");
  if (header === null || response.headers.has("content-encoding")) {
    return undefined;
  }
  return /^\d+$/.test(header) ? Number(header) : undefined;
}

function checkSize(size: number, label: string, maxBytes: number): void {
  if (size <= maxBytes) return;
  throw new ExecutorError(
    "payload_too_large",
    `${label} is larger than max_media_bytes allows: ${maxBytes}`,
  );
}

function known(mimeType: string | undefined, label: string): string {
  if (mimeType !== undefined) return mimeType;
  throw new ExecutorError("input_invalid", `${label} needs a mime_type: nothing tells what it is`);
}
