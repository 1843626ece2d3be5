import { withTimes } from "./times.ts";

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
  "run_number",
  "parent_job_id",
  "parent_step_id",
  "parent_visit",
  "root_job_id",
  "branch",
  "item_index",
  "item",
  "open_children",
  "failed_children",
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
  "depth",
  "max_failed_children",
  "slot_key",
  "wanted_slot",
  "held_slots",
  "inherited_slots",
  "queue_place",
] as const;

/** A row as it came, with its times as RFC 3339. */
export function toJobRow(row: unknown): JobRow {
  return withTimes(row as JobRow, TIME_COLUMNS);
}
