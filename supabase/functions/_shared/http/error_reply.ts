import {
  ApprovalClosedError,
  ApprovalNotFoundError,
  DatabaseUnavailableError,
  DefinitionInvalidError,
  IdempotencyConflictError,
  InvalidArgumentError,
  JobEndedError,
  JobNotFoundError,
  NotAllowedError,
  NotAuthenticatedError,
  PayloadTooLargeError,
  PermissionDeniedError,
  StoreError,
  TransactionConflictError,
  WorkflowNotFoundError,
  WrongStatusError,
} from "../store/errors.ts";
import { ApiError, type ApiErrorCode, unauthorized, unavailable } from "./errors.ts";
import type { Reply } from "./router.ts";

/** Whatever was thrown as the error that the caller is told: nothing internal gets through. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof StoreError) return fromStoreError(error);
  return internal(error);
}

/** The one shape of an error. */
export function errorReply(error: ApiError, requestId: string): Reply {
  const { code, message, details } = error;
  return {
    status: error.status,
    body: {
      error: {
        code,
        message,
        ...(details === undefined ? {} : { details }),
        request_id: requestId,
      },
    },
    headers: error.headers,
  };
}

/** Errors whose messages our own SQL wrote for users. */
const TOLD: readonly [typeof StoreError, ApiErrorCode][] = [
  [WorkflowNotFoundError, "workflow_not_found"],
  [JobNotFoundError, "job_not_found"],
  [IdempotencyConflictError, "idempotency_conflict"],
  [DefinitionInvalidError, "definition_invalid"],
  [PayloadTooLargeError, "payload_too_large"],
  [ApprovalNotFoundError, "approval_not_found"],
  [ApprovalClosedError, "approval_closed"],
  [NotAllowedError, "forbidden"],
  [WrongStatusError, "wrong_status"],
];

function fromStoreError(error: StoreError): ApiError {
  const told = TOLD.find(([kind]) => error instanceof kind);
  if (told !== undefined) return new ApiError(told[1], error.message, { cause: error });
  if (error instanceof JobEndedError) {
    return new ApiError("job_ended", "Cannot do this as the job has ended", { cause: error });
  }
  if (error instanceof DatabaseUnavailableError) {
    return unavailable("The database cannot be reached", error.retryAfterSeconds, error);
  }
  if (error instanceof TransactionConflictError) {
    return unavailable("The database is too busy for this request", 1, error);
  }
  if (error instanceof NotAuthenticatedError) {
    return unauthorized("Cannot accept the token as it is not valid any more", true, error);
  }
  if (error instanceof PermissionDeniedError) {
    return new ApiError("forbidden", "Not allowed", { cause: error });
  }
  if (error instanceof InvalidArgumentError) {
    // Only our own SQL's messages are meant for users.
    const message = error.sqlstate.startsWith("MR")
      ? error.message
      : "Cannot store the request as it holds a value that the database cannot take";
    return new ApiError("invalid_request", message, { cause: error });
  }
  return internal(error);
}

function internal(cause: unknown): ApiError {
  return new ApiError("internal", "Something went wrong on our side", { cause });
}
