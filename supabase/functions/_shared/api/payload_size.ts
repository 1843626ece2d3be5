import { ApiError } from "../http/errors.ts";

/**
 * Holds a value of a request to the size that may be stored, in bytes of its JSON.
 *
 * @param verb what cannot be done with it: `start the job`
 * @throws {ApiError} 413 that tells the limit and the size.
 */
export function checkSize(value: unknown, field: string, maxBytes: number, verb: string): void {
  const bytes = new TextEncoder().encode(JSON.stringify(value) ?? "").byteLength;
  if (bytes <= maxBytes) return;
  throw new ApiError(
    "payload_too_large",
    `Cannot ${verb} as '${field}' must be <= ${maxBytes} bytes: current size is ${bytes}`,
    { details: { path: field, max_bytes: maxBytes, bytes } },
  );
}
