import type { AttemptRef } from "./job.ts";

/** The same for every delivery of an attempt: what an executor hands on so that work is done once. */
export function idempotencyKey(
  jobId: string,
  { step_id, visit, attempt, check }: AttemptRef,
): string {
  return `${jobId}:${step_id}:${visit}:${attempt}${check ? ":check" : ""}`;
}
