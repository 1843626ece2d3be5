/** Every error code of the HTTP API with its status: the only list of them. */
export const API_ERRORS = {
  malformed_json: 400,
  invalid_request: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  workflow_not_found: 404,
  job_not_found: 404,
  approval_not_found: 404,
  method_not_allowed: 405,
  idempotency_conflict: 409,
  job_ended: 409,
  wrong_status: 409,
  approval_closed: 409,
  workflow_exists: 409,
  payload_too_large: 413,
  unsupported_media_type: 415,
  input_invalid: 422,
  definition_invalid: 422,
  rate_limited: 429,
  internal: 500,
  unavailable: 503,
} as const satisfies Record<string, number>;

/** A code of that list. */
export type ApiErrorCode = keyof typeof API_ERRORS;

/** One fault of a request: where it is, and what must be true there. */
export interface Fault {
  path: string;
  message: string;
}

/** What an {@link ApiError} may carry beside its message. */
export interface ApiErrorMore {
  details?: unknown;
  headers?: Record<string, string>;
  cause?: unknown;
}

/** An error that a caller is told about; its message is written for them. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly code: ApiErrorCode;
  readonly details: unknown;
  readonly headers: Record<string, string>;

  constructor(code: ApiErrorCode, message: string, more: ApiErrorMore = {}) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.details = more.details;
    this.headers = more.headers ?? {};
  }

  get status(): number {
    return API_ERRORS[this.code];
  }
}

/** 401 as RFC 6750 has it: a bare challenge where no token was given, a reason where one was. */
export function unauthorized(message: string, tokenGiven: boolean, cause?: unknown): ApiError {
  const challenge = tokenGiven ? 'Bearer error="invalid_token"' : "Bearer";
  return new ApiError("unauthorized", message, {
    headers: { "www-authenticate": challenge },
    cause,
  });
}

/** 503: something that the answer needs is down; `retryAfterSeconds` is when to come again. */
export function unavailable(message: string, retryAfterSeconds: number, cause?: unknown): ApiError {
  return new ApiError("unavailable", message, {
    headers: { "retry-after": String(retryAfterSeconds) },
    cause,
  });
}

/** 400 for one fault or several: the message tells the first, `details` lists all. */
export function invalidRequest(faults: readonly Fault[]): ApiError {
  const [first] = faults;
  const where = first === undefined || first.path === "" ? "the body" : `'${first.path}'`;
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : "";
  return new ApiError(
    "invalid_request",
    `Cannot read the request as ${where} ${first?.message ?? "is invalid"}${more}`,
    { details: faults },
  );
}
