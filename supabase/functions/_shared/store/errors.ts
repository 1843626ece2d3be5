/**
 * Errors of the database as classes, by SQLSTATE: the one place where SQLSTATEs are known. `MR…`
 * are raised by our own SQL, with messages that are written for users; the others' messages are
 * Postgres' own and stay in the log.
 */
export class StoreError extends Error {
  override readonly name: string = "StoreError";
  /** SQLSTATE, PostgREST's own code (`PGRST…`), or empty when no answer came. */
  readonly sqlstate: string;

  constructor(message: string, sqlstate = "", options?: ErrorOptions) {
    super(message, options);
    this.sqlstate = sqlstate;
  }
}

/** MR001: there is no workflow of that id. */
export class WorkflowNotFoundError extends StoreError {
  override readonly name = "WorkflowNotFoundError";
}
/** MR002: there is no job of that id that the caller may see. */
export class JobNotFoundError extends StoreError {
  override readonly name = "JobNotFoundError";
}
/** MR003: the idempotency key was used with another request. */
export class IdempotencyConflictError extends StoreError {
  override readonly name = "IdempotencyConflictError";
}
/** MR004: the definition breaks the language's rules. */
export class DefinitionInvalidError extends StoreError {
  override readonly name = "DefinitionInvalidError";
}
/** MR005: no attempt waits for this task token. */
export class TokenUnknownError extends StoreError {
  override readonly name = "TokenUnknownError";
}
/** MR006: a payload is larger than the database takes. */
export class PayloadTooLargeError extends StoreError {
  override readonly name = "PayloadTooLargeError";
}
/** MR007: the job has ended already. */
export class JobEndedError extends StoreError {
  override readonly name = "JobEndedError";
}
/** MR008 and Postgres' class 22: a value that the database cannot take. */
export class InvalidArgumentError extends StoreError {
  override readonly name = "InvalidArgumentError";
}
/** MR009: nobody is signed in, or the token is not valid any more. */
export class NotAuthenticatedError extends StoreError {
  override readonly name = "NotAuthenticatedError";
}
/** MR010: the approval is decided, expired or withdrawn already. */
export class ApprovalClosedError extends StoreError {
  override readonly name = "ApprovalClosedError";
}
/** MR011: what the caller may see but not do, such as to decide an approval of others. */
export class NotAllowedError extends StoreError {
  override readonly name = "NotAllowedError";
}
/** MR012: there is no approval of that id that the caller may see. */
export class ApprovalNotFoundError extends StoreError {
  override readonly name = "ApprovalNotFoundError";
}
/** MR013: the job's status does not allow it, such as the retry of a job that runs. */
export class WrongStatusError extends StoreError {
  override readonly name = "WrongStatusError";
}
/** 42501: the role has no grant, or a policy refuses the row. */
export class PermissionDeniedError extends StoreError {
  override readonly name = "PermissionDeniedError";
}
/** 40001, 40P01, 55P03: lost against another transaction; the same call may pass now. */
export class TransactionConflictError extends StoreError {
  override readonly name = "TransactionConflictError";
}
/** The database, or the way to it, is down or too slow: nothing is known to be written. */
export class DatabaseUnavailableError extends StoreError {
  override readonly name: string = "DatabaseUnavailableError";
  /** After how many seconds it is worth another try. */
  readonly retryAfterSeconds = 5;
}

/** 57014: the statement took longer than it may, and nothing was written. */
export class StatementTimeoutError extends DatabaseUnavailableError {
  override readonly name = "StatementTimeoutError";
}

type StoreErrorClass = new (message: string, sqlstate: string) => StoreError;

const BY_SQLSTATE: Record<string, StoreErrorClass> = {
  MR001: WorkflowNotFoundError,
  MR002: JobNotFoundError,
  MR003: IdempotencyConflictError,
  MR004: DefinitionInvalidError,
  MR005: TokenUnknownError,
  MR006: PayloadTooLargeError,
  MR007: JobEndedError,
  MR008: InvalidArgumentError,
  MR009: NotAuthenticatedError,
  MR010: ApprovalClosedError,
  MR011: NotAllowedError,
  MR012: ApprovalNotFoundError,
  MR013: WrongStatusError,
  // Not in PostgREST's picture of the schema, which it may be drawing anew just now.
  PGRST202: DatabaseUnavailableError,
  PGRST205: DatabaseUnavailableError,
  PGRST301: NotAuthenticatedError, // a token that PostgREST cannot verify
  PGRST302: NotAuthenticatedError, // no token where one is needed
  PGRST303: NotAuthenticatedError, // a token whose claims do not hold, such as its expiry
  "40001": TransactionConflictError,
  "40P01": TransactionConflictError,
  "42501": PermissionDeniedError,
  "54001": InvalidArgumentError, // nested deeper than the server's stack
  "55P03": TransactionConflictError,
  "57014": StatementTimeoutError,
};

/** By class, where no single code is listed: connection, data, resources, operator, PostgREST's. */
const BY_CLASS: readonly [RegExp, StoreErrorClass][] = [
  [/^08|^53|^57P|^58|^PGRST00|^E?CONN/, DatabaseUnavailableError],
  [/^22/, InvalidArgumentError],
];

/** Drivers' own codes, and phrases where there is no code at all. */
const LOST_CONNECTION =
  /CONNECTION_(CLOSED|ENDED|DESTROYED)|CONNECT_TIMEOUT|ECONNREFUSED|ECONNRESET|EPIPE|connection (was )?(refused|reset|closed|terminated|terminating)|error sending request|fetch failed|timed? ?out|aborted/i;

/** A token outlives its user: their rows cannot be written any more. */
const USER_IS_GONE = /foreign key constraint "\w+_user_fk"/;

/** What a call through the Data API reports as its error. */
export interface ReportedStoreError {
  message?: string | null;
  code?: string | null;
}

/** The error class for what the Data API answered; `status` is the HTTP status, 0 for no answer. */
export function toStoreError(reported: ReportedStoreError, status: number): StoreError {
  const message = reported.message ?? "the database gave no reason";
  const sqlstate = reported.code ?? "";
  if (sqlstate === "23503" && USER_IS_GONE.test(message)) {
    return new NotAuthenticatedError(message, sqlstate);
  }
  const known = BY_SQLSTATE[sqlstate] ?? BY_CLASS.find(([pattern]) => pattern.test(sqlstate))?.[1];
  if (known) return new known(message, sqlstate);
  if (status === 0 || (status >= 502 && status <= 504) || LOST_CONNECTION.test(message)) {
    return new DatabaseUnavailableError(message, sqlstate);
  }
  if (status === 401) return new NotAuthenticatedError(message, sqlstate);
  return new StoreError(message, sqlstate);
}

/**
 * The data of a call through supabase-js.
 *
 * @throws {StoreError} of the class that fits, when the call failed.
 */
export function unwrap<Data>(
  reply: { data: Data; error: ReportedStoreError | null; status: number },
): NonNullable<Data> | null {
  if (reply.error) throw toStoreError(reply.error, reply.status);
  return reply.data ?? null;
}
