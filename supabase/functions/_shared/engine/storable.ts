import { EngineError } from "./errors.ts";

/** What JSON text can hold and `jsonb` cannot: the character U+0000, and half a surrogate pair. */
const UNSTORABLE = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/;

/**
 * Checks that what the engine has computed can be kept.
 *
 * @param what names it, for the message
 * @throws {EngineError} `payload_too_large`, `invalid_result`
 */
export function checkStorable(value: unknown, maxBytes: number, what: string): void {
  const text = JSON.stringify(value) ?? "null";
  // No character takes more than three bytes for each of its units.
  const bytes = text.length * 3 <= maxBytes ? 0 : new TextEncoder().encode(text).byteLength;
  if (bytes > maxBytes) {
    throw new EngineError(
      "payload_too_large",
      `${what} must be <= ${maxBytes} bytes of JSON: current size is ${bytes}`,
    );
  }
  if (UNSTORABLE.test(text)) {
    throw new EngineError(
      "invalid_result",
      `${what} must not hold the character U+0000 or half of a surrogate pair, which Postgres cannot keep`,
    );
  }
}
