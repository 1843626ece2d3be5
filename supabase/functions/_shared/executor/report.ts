import { errorCodeSchema } from "../contracts/errors.ts";
import type { ReportedError } from "../contracts/executor.ts";
import { ExecutorError } from "./error.ts";
import { serializeOutput } from "./output.ts";

const MAX_MESSAGE = 2_000;
const MAX_DETAILS_BYTES = 32 * 1024;
const MAX_RETRY_AFTER_SECONDS = 86_400 * 30;

/**
 * Turns what a handler threw into what the orchestrator is told. An {@link ExecutorError} speaks
 * for itself (cut to what can be stored); of anything else only the kind is told, as its words
 * may hold what is not for the user: the log has them.
 */
export function reportOf(error: unknown): ReportedError {
  if (error instanceof ExecutorError) return storable(error.report());
  if (error instanceof DOMException && error.name === "TimeoutError") {
    return timeoutReport();
  }
  return {
    code: "internal",
    message: "Cannot finish the task as the executor failed unexpectedly: its log holds the error",
  };
}

/** The report of a task whose deadline has passed. */
export function timeoutReport(): ReportedError {
  return {
    code: "timeout",
    message: "Cannot finish the task before its deadline",
  };
}

function storable(report: ReportedError): ReportedError {
  const { code, message, retryable, retry_after_seconds: retryAfter, details } = report;
  return {
    code: errorCodeSchema.safeParse(code).success ? code : "internal",
    message: storableText(message),
    ...(retryable === undefined ? {} : { retryable }),
    ...(retryAfter === undefined || !Number.isFinite(retryAfter) ? {} : {
      retry_after_seconds: Math.min(
        Math.max(0, retryAfter),
        MAX_RETRY_AFTER_SECONDS,
      ),
    }),
    ...(details === undefined ? {} : { details: storableDetails(details) }),
  };
}

/** Whole characters only, and none that Postgres refuses. */
function storableText(text: string): string {
  const whole = text.length <= MAX_MESSAGE ? text : `${text.slice(0, MAX_MESSAGE)}…`;
  return whole.toWellFormed().replaceAll("\0", "\ufffd");
}

function storableDetails(details: unknown): unknown {
  try {
    return JSON.parse(serializeOutput(details, MAX_DETAILS_BYTES));
  } catch (error) {
    return { omitted: error instanceof Error ? error.message : "not JSON" };
  }
}
