import assert from "node:assert/strict";
import {
  ApprovalClosedError,
  ApprovalNotFoundError,
  DatabaseUnavailableError,
  IdempotencyConflictError,
  InvalidArgumentError,
  JobEndedError,
  JobNotFoundError,
  NotAllowedError,
  NotAuthenticatedError,
  PayloadTooLargeError,
  PermissionDeniedError,
  StatementTimeoutError,
  StoreError,
  toStoreError,
  TransactionConflictError,
  unwrap,
  WorkflowNotFoundError,
  WrongStatusError,
} from "../../../../supabase/functions/_shared/store/errors.ts";

const CASES: [code: string, message: string, status: number, expected: typeof StoreError][] = [
  ["MR001", "no workflow", 400, WorkflowNotFoundError],
  ["MR002", "no job", 400, JobNotFoundError],
  ["MR003", "other input", 400, IdempotencyConflictError],
  ["MR006", "too large", 400, PayloadTooLargeError],
  ["MR007", "ended", 400, JobEndedError],
  ["MR008", "bad", 400, InvalidArgumentError],
  ["MR009", "nobody", 400, NotAuthenticatedError],
  ["MR010", "decided", 400, ApprovalClosedError],
  ["MR011", "not yours to decide", 400, NotAllowedError],
  ["MR012", "no approval", 400, ApprovalNotFoundError],
  ["MR013", "running", 400, WrongStatusError],
  ["22P05", "\\u0000 cannot be converted to text", 400, InvalidArgumentError],
  ["42501", "permission denied", 403, PermissionDeniedError],
  ["40001", "could not serialize", 500, TransactionConflictError],
  ["40P01", "deadlock", 500, TransactionConflictError],
  ["08006", "connection failure", 503, DatabaseUnavailableError],
  ["53300", "too many connections", 500, DatabaseUnavailableError],
  ["57P01", "terminating connection", 500, DatabaseUnavailableError],
  ["57014", "statement timeout", 500, StatementTimeoutError],
  ["PGRST000", "cannot connect", 503, DatabaseUnavailableError],
  ["PGRST002", "schema cache", 503, DatabaseUnavailableError],
  ["PGRST202", "no function in the schema cache", 404, DatabaseUnavailableError],
  ["PGRST303", "JWT expired", 401, NotAuthenticatedError],
  ["ECONNREFUSED", "connect ECONNREFUSED", 500, DatabaseUnavailableError],
  ["CONNECTION_CLOSED", "write CONNECTION_CLOSED", 500, DatabaseUnavailableError],
  ["", "TypeError: error sending request", 0, DatabaseUnavailableError],
  ["", "bad gateway", 502, DatabaseUnavailableError],
  ["", "Invalid token", 401, NotAuthenticatedError],
  ["23503", 'violates foreign key constraint "jobs_user_fk"', 409, NotAuthenticatedError],
  ["23503", 'violates foreign key constraint "jobs_parent_fk"', 409, StoreError],
  ["42P01", "relation does not exist", 404, StoreError],
  ["", "odd", 500, StoreError],
];

for (const [code, message, status, expected] of CASES) {
  Deno.test(`toStoreError() makes ${expected.name} of '${code}' ${message}`, () => {
    const error = toStoreError({ code, message }, status);
    assert.equal(error.constructor, expected);
    assert.equal(error.sqlstate, code);
  });
}

Deno.test("unwrap() gives the data, null for none", () => {
  assert.deepEqual(unwrap({ data: [1], error: null, status: 200 }), [1]);
  assert.equal(unwrap({ data: undefined, error: null, status: 204 }), null);
});

Deno.test("unwrap() throws the error's class", () => {
  const reply = { data: null, error: { code: "MR002", message: "gone" }, status: 400 };
  assert.throws(() => unwrap(reply), JobNotFoundError);
});
