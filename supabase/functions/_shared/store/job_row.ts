/** A job as its owner sees it: the columns of {@link JOB_COLUMNS}. */
export type JobRow = Record<string, unknown> & { id: string; created_at: string };

/** Every column of a job that is not the engine's own. */
export const JOB_COLUMNS = [
  "id",
  "user_id",
  "workflow_id",
  "workflow_version",
  "current_step_id",
  "status",
  "input_data",
  "step_data",
  "final_result",
  "created_at",
  "started_at",
  "last_updated_at",
  "completed_at",
  "run_at",
  "deadline_at",
  "error_message",
  "error",
  "retry_count",
  "max_retries",
  "next_retry_at",
  "state_history",
  "priority",
  "idempotency_key",
  "metadata",
  "trace_id",
  "parent_job_id",
  "parent_step_id",
  "item_index",
] as const;

const TIME_COLUMNS = [
  "created_at",
  "started_at",
  "last_updated_at",
  "completed_at",
  "run_at",
  "deadline_at",
  "next_retry_at",
] as const satisfies readonly (typeof JOB_COLUMNS)[number][];

/** What the engine keeps for itself. */
export const ENGINE_COLUMNS = [
  "next_run_at",
  "lease_token",
  "wake_requested",
  "version",
  "redeliveries",
  "state",
] as const;

/** A row as it came, with its times as RFC 3339, however the Data API writes them: `2030-01-31 12:00:00.123456+00`. */
export function toJobRow(row: unknown): JobRow {
  const job = { ...(row as JobRow) };
  for (const column of TIME_COLUMNS) {
    const time = job[column];
    if (typeof time !== "string") continue;
    job[column] = time.replace(" ", "T").replace(/([+-]\d\d)$/, "$1:00");
  }
  return job;
}
