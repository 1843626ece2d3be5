import { type ErrorInfo, retryableByDefault } from "../contracts/errors.ts";
import type { ReportedError } from "../contracts/executor.ts";

/** An error that an executor reported, with `retryable` answered by its code where it said nothing. */
export function toErrorInfo(error: ReportedError): ErrorInfo {
  return { ...error, retryable: error.retryable ?? retryableByDefault(error.code) };
}
