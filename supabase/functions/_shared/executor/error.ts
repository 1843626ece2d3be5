import type { ReportedError } from "../contracts/executor.ts";
import type { ErrorCode } from "../contracts/errors.ts";

/** What a handler throws to fail its task with a code that the retry policy can act on. */
export class ExecutorError extends Error {
  override readonly name = "ExecutorError";
  readonly code: ErrorCode | `${string}.${string}`;
  readonly more: Omit<ReportedError, "code" | "message">;

  constructor(
    code: ErrorCode | `${string}.${string}`,
    message: string,
    more: Omit<ReportedError, "code" | "message"> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.code = code;
    this.more = more;
  }

  /** The error as it travels back to the orchestrator. */
  report(): ReportedError {
    return { code: this.code, message: this.message, ...this.more };
  }
}
