import { ApiError, invalidRequest } from "./errors.ts";
import { findJsonFault } from "./json_scan.ts";
import { formatPath } from "./path.ts";

/** Deepest nesting of a request's JSON, in levels. */
const MAX_DEPTH = 100;

/**
 * The request's body as JSON; `undefined` when there is none at all.
 *
 * @throws {ApiError} 413 beyond `maxBytes`, 415 for another media type, 400 for what is no JSON, or
 * JSON that could not be stored and given back as it came.
 */
export async function readJson(request: Request, maxBytes: number): Promise<unknown> {
  const length = Number(request.headers.get("content-length") ?? 0);
  if (request.body === null || (length === 0 && request.headers.has("content-length"))) {
    return undefined;
  }
  if (length > maxBytes) throw tooLarge(maxBytes);
  checkMediaType(request.headers);
  const text = await readText(request.body, maxBytes);
  return text === "" ? undefined : parseJson(text);
}

/**
 * JSON that can be stored and given back as it came.
 *
 * @throws {ApiError} 400 that names the place.
 */
export function parseJson(text: string): unknown {
  const fault = findJsonFault(text, MAX_DEPTH);
  if (fault === null) return JSON.parse(text);
  const path = formatPath(fault.path);
  if (fault.kind === "content") throw invalidRequest([{ path, message: fault.message }]);
  throw new ApiError(
    "malformed_json",
    `Cannot parse the body as JSON: ${fault.message} at position ${fault.position}`,
    { details: { position: fault.position, path } },
  );
}

function checkMediaType(headers: Headers): void {
  const [type = "", ...parameters] = (headers.get("content-type") ?? "").toLowerCase().split(";");
  const charset = parameters.map((parameter) => parameter.trim())
    .find((parameter) => parameter.startsWith("charset="))?.slice(8).replaceAll('"', "");
  if (type.trim() !== "application/json" || (charset !== undefined && charset !== "utf-8")) {
    throw unsupported("'content-type' must be application/json in UTF-8");
  }
  const encoding = headers.get("content-encoding") ?? "identity";
  if (encoding !== "identity") throw unsupported("'content-encoding' must be identity");
}

/** Counts while it reads: a body may come without a length, or with a wrong one. */
async function readText(body: ReadableStream<Uint8Array>, maxBytes: number): Promise<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let bytes = 0;
  let text = "";
  // Leaving the loop by an error cancels the stream: the rest is not read.
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw tooLarge(maxBytes);
    text += decode(() => decoder.decode(chunk, { stream: true }));
  }
  return text + decode(() => decoder.decode());
}

function decode(run: () => string): string {
  try {
    return run();
  } catch (cause) {
    const message = "Cannot parse the body as JSON: it is not valid UTF-8";
    throw new ApiError("malformed_json", message, { cause });
  }
}

function tooLarge(maxBytes: number): ApiError {
  return new ApiError(
    "payload_too_large",
    `Cannot accept the request as its body must be <= ${maxBytes} bytes`,
    { details: { max_bytes: maxBytes } },
  );
}

function unsupported(what: string): ApiError {
  return new ApiError("unsupported_media_type", `Cannot read the request as ${what}`);
}
