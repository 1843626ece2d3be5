import type { JobRow } from "../store/job_row.ts";

/** A job as the API shows it: its row, with `job_id` beside `id`. */
export function jobView(row: JobRow): Record<string, unknown> {
  return { job_id: row.id, ...row };
}
