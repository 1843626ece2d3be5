import { type ErrorInfo, errorInfo } from "../contracts/errors.ts";
import { ExecutorError } from "../executor/error.ts";
import { serializeOutput } from "../executor/output.ts";

/** A shorter line can neither be too large nor nested too deep. */
const SHORT_LINE = 500;

/** What JSON text can hold and `jsonb` cannot: `\u0000`, half a surrogate pair, huge numbers. */
const SUSPICIOUS = /\\u(?:0000|d[89a-f])|\d[eE]|\d{300}/i;

/**
 * Why the output of a line cannot be stored; null when it can. Executors look for themselves, but
 * one that was not made with `serveExecutor` must not take the commits of others down with it.
 */
export function outputFault(output: unknown, line: string, maxBytes: number): ErrorInfo | null {
  if (line.length <= Math.min(SHORT_LINE, maxBytes / 3) && !SUSPICIOUS.test(line)) return null;
  try {
    serializeOutput(output, maxBytes);
    return null;
  } catch (error) {
    if (!(error instanceof ExecutorError)) throw error;
    const { code, message, retryable } = error.report();
    return errorInfo(
      code === "payload_too_large" ? code : "invalid_result",
      message,
      retryable === undefined ? {} : { retryable },
    );
  }
}

/** A reported error as it can be stored: whole characters only, and details that are sound. */
export function storableError(error: ErrorInfo, line: string): ErrorInfo {
  if (line.length <= SHORT_LINE && !SUSPICIOUS.test(line)) return error;
  const message = error.message.toWellFormed().replaceAll("\0", "\ufffd");
  const fault = outputFault(error.details ?? null, line, MAX_DETAILS_BYTES);
  return fault === null
    ? { ...error, message }
    : { ...error, message, details: { omitted: fault.message } };
}

const MAX_DETAILS_BYTES = 65_536;
