import { type ErrorCode, type ErrorInfo, errorInfo } from "../contracts/errors.ts";

/** An {@link ErrorInfo} on its way up through the engine; `plan` turns it into a failed attempt. */
export class EngineError extends Error {
  readonly info: ErrorInfo;

  constructor(code: ErrorCode, message: string, details?: unknown) {
    super(message);
    this.name = "EngineError";
    this.info = errorInfo(code, message, details === undefined ? {} : { details });
  }
}
