import { ExecutorError } from "../_shared/executor/error.ts";
import type { ErrorCode } from "../_shared/contracts/errors.ts";

/** The call that asks the model; its 404 means the model. */
export const GENERATE = "generateContent";

/** An answer of the Gemini API other than 2xx. */
export interface HttpFailure {
  status: number;
  /** The API's own words, if it had any. */
  message?: string | undefined;
  /** `error.details` of the answer: google.rpc messages. */
  details?: readonly unknown[] | undefined;
  /** The `Retry-After` header. */
  retryAfter?: string | null | undefined;
}

/**
 * Makes the task's error of an HTTP failure.
 *
 * @param what what was asked for, such as `generateContent`; stands in the message.
 * @param secret the API key, which the API may repeat in its message.
 */
export function httpFailure(failure: HttpFailure, what: string, secret: string): ExecutorError {
  const { status } = failure;
  const code = codeOf(failure, what);
  const wait = retryAfterSeconds(failure);
  const said = failure.message ? `: ${redact(failure.message, secret)}` : "";
  return new ExecutorError(
    code,
    `Gemini answered ${what} with ${status}${said}`,
    {
      ...(wait === undefined ? {} : { retry_after_seconds: wait }),
      details: { status, ...reasonOf(failure.details) },
    },
  );
}

/** Makes the task's error of a request that got no answer. */
export function networkFailure(what: string, error: unknown, signal: AbortSignal): ExecutorError {
  if (signal.aborted) return deadlineFailure(what, error);
  // The runtime's message names no more than host and port; the SDK's would name the whole URL.
  return new ExecutorError("network", `Gemini cannot be reached for ${what}`, {}, { cause: error });
}

/** Makes the error of a task that ran into its deadline, or that nobody waits for any more. */
export function deadlineFailure(what: string, cause?: unknown): ExecutorError {
  return new ExecutorError("timeout", `The task's deadline passed during ${what}`, {}, { cause });
}

/** Takes API keys and quoted payload out of a message, and cuts it to 500 characters. */
export function redact(message: string, secret: string): string {
  const clean = (secret === "" ? message : message.replaceAll(secret, "[key]"))
    .replaceAll(/AIza[\w-]{8,}/g, "[key]")
    .replaceAll(/([?&]key=)[^&\s]+/g, "$1[key]")
    .replaceAll(/[A-Za-z0-9+/=_-]{60,}/g, "[data]")
    .replaceAll(/"[^"]{60,}"/g, '"…"');
  return clean.length <= 500 ? clean : `${clean.slice(0, 500)}…`;
}

function codeOf(
  { status, message = "", details }: HttpFailure,
  what: string,
): ErrorCode | `gemini.${string}` {
  const { reason } = reasonOf(details);
  if (reason === "API_KEY_INVALID" || reason === "API_KEY_SERVICE_BLOCKED") {
    return "gemini.bad_key";
  }
  if (status === 400 && /\bAPI key\b/i.test(message)) return "gemini.bad_key";
  // The same 403 tells of a file that is another key's or is gone: the key itself is good.
  if (status === 403 && /\bFile\b/.test(message)) return "http_4xx";
  if (status === 401 || status === 403) return "gemini.bad_key";
  if (status === 404 && what === GENERATE) return "gemini.model_not_found";
  if (status === 408) return "timeout";
  if (status === 413) return "payload_too_large";
  if (status === 429) return "rate_limited";
  return status >= 500 ? "http_5xx" : "http_4xx";
}

function reasonOf(details: readonly unknown[] | undefined): { reason?: string } {
  for (const detail of details ?? []) {
    if (isRecord(detail) && typeof detail["reason"] === "string") {
      return { reason: detail["reason"] };
    }
  }
  return {};
}

/** Seconds that the API asks to wait: its RetryInfo, else `Retry-After`, else its message. */
export function retryAfterSeconds(failure: HttpFailure, now = Date.now()): number | undefined {
  for (const detail of failure.details ?? []) {
    if (isRecord(detail) && typeof detail["retryDelay"] === "string") {
      const seconds = /^(\d+(?:\.\d+)?)s$/.exec(detail["retryDelay"])?.[1];
      if (seconds !== undefined) return whole(Number(seconds));
    }
  }
  const header = failure.retryAfter?.trim();
  if (header) {
    if (/^\d+$/.test(header)) return whole(Number(header));
    const date = Date.parse(header);
    if (!Number.isNaN(date)) return whole(Math.max(0, (date - now) / 1000));
  }
  const said = /retry in (\d+(?:\.\d+)?)s/i.exec(failure.message ?? "")?.[1];
  return said === undefined ? undefined : whole(Number(said));
}

/** Rounded up, and within what a result may carry (30 days). */
function whole(seconds: number): number {
  return Math.min(Math.ceil(seconds), 86_400 * 30);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
