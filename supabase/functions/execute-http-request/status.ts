import type { ErrorCode } from "../_shared/contracts/errors.ts";
import { ExecutorError } from "../_shared/executor/error.ts";

/** Statuses of the 4xx class that another attempt may turn: request timeout, too early. */
const PASSING: ReadonlySet<number> = new Set([408, 425]);

/** Whether a status is among those expected: `404`, `"200-299"`, `"2xx"`. */
export function isExpected(
  status: number,
  expected: readonly (number | string)[],
): boolean {
  return expected.some((each) => {
    if (typeof each === "number") return status === each;
    if (each.endsWith("xx")) return Math.floor(status / 100) === Number(each[0]);
    const [low = NaN, high = NaN] = each.split("-").map(Number);
    return low <= status && status <= high;
  });
}

/** The error of an answer that was not expected, with how long to wait where it says so. */
export function statusError(
  response: Response,
  bodyExcerpt: string,
  origin: string,
  nowMs: number,
): ExecutorError {
  const { status } = response;
  const retryAfter = retryAfterSeconds(response.headers.get("retry-after"), nowMs);
  return new ExecutorError(
    codeOf(status),
    `${origin} answered with the status ${status}`,
    {
      ...(PASSING.has(status) ? { retryable: true } : {}),
      ...(retryAfter === undefined ? {} : { retry_after_seconds: retryAfter }),
      details: {
        status,
        ...(bodyExcerpt === "" ? {} : { body_excerpt: bodyExcerpt }),
      },
    },
  );
}

/** Reads `Retry-After`, in seconds or as an HTTP date; `undefined` when it is neither. */
export function retryAfterSeconds(
  header: string | null,
  nowMs: number,
): number | undefined {
  const text = header?.trim() ?? "";
  if (/^\d{1,9}$/.test(text)) return Number(text);
  // An HTTP date has letters in it; without the check, Date.parse would take much else for one.
  const at = /^[A-Za-z]{3}/.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(at) ? undefined : Math.max(0, Math.ceil((at - nowMs) / 1000));
}

function codeOf(status: number): ErrorCode | `http.${string}` {
  if (status === 429) return "rate_limited";
  if (status >= 500) return "http_5xx";
  return status >= 400 ? "http_4xx" : "http.unexpected_status";
}
