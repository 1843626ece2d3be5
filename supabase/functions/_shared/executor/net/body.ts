import { ExecutorError } from "../error.ts";
import { networkError } from "./network_error.ts";

/**
 * Reads a response's body, up to a limit in bytes (counted after decompression, so that a small
 * compressed answer cannot fill the memory).
 *
 * @throws {ExecutorError} `payload_too_large` past the limit, `network` when it breaks off.
 * @throws the signal's reason once it is aborted.
 */
export async function readBytes(
  response: Response,
  limit: { maxBytes: number; url: URL; signal?: AbortSignal },
): Promise<Uint8Array<ArrayBuffer>> {
  const announced = Number(response.headers.get("content-length") ?? 0);
  // A response to HEAD announces the length of a body that does not come.
  if (response.body === null || announced <= limit.maxBytes) {
    const { bytes, complete } = await readUpTo(response, limit);
    if (complete) return bytes;
  } else {
    await response.body.cancel();
  }
  throw new ExecutorError(
    "payload_too_large",
    `Cannot read a response of more than ${limit.maxBytes} bytes`,
    { details: { status: response.status, max_bytes: limit.maxBytes } },
  );
}

/**
 * Reads the beginning of a response's body: at most `maxBytes`, and whether that was all of it.
 *
 * @throws {ExecutorError} `network` when it breaks off.
 * @throws the signal's reason once it is aborted.
 */
export async function readUpTo(
  response: Response,
  { maxBytes, url, signal }: {
    maxBytes: number;
    url: URL;
    signal?: AbortSignal;
  },
): Promise<{ bytes: Uint8Array<ArrayBuffer>; complete: boolean }> {
  if (response.body === null) {
    return { bytes: new Uint8Array(), complete: true };
  }
  const reader = response.body.getReader();
  const abort = () => void reader.cancel(signal?.reason).catch(() => {/* broke off already */});
  signal?.addEventListener("abort", abort, { once: true });
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    signal?.throwIfAborted();
    for (;;) {
      const { done, value } = await reader.read();
      signal?.throwIfAborted();
      if (done) return { bytes: join(chunks, size), complete: true };
      chunks.push(value);
      size += value.byteLength;
      if (size > maxBytes) {
        await reader.cancel();
        return {
          bytes: join(chunks, size).slice(0, maxBytes),
          complete: false,
        };
      }
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw networkError(url, error);
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

function join(
  chunks: readonly Uint8Array[],
  size: number,
): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    joined.set(chunk, at);
    at += chunk.byteLength;
  }
  return joined;
}
