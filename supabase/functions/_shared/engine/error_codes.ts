/**
 * Errors that end the job whatever its definition says: another attempt or an error handler would
 * meet the same end, or go on with a job that somebody has stopped.
 */
const FINAL_CODES: ReadonlySet<string> = new Set([
  "cancelled",
  "definition_invalid",
  "step_budget_exceeded",
]);

/** Whether an error of this code is neither retried nor handed to an `on_error` step. */
export function isFinalCode(code: string): boolean {
  return FINAL_CODES.has(code);
}
