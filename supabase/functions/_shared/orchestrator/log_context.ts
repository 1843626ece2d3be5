import type { Delivery } from "../engine/decision.ts";
import type { HeldJob } from "./held_job.ts";

/** What log lines say of a delivery. */
export function logContext({ job }: HeldJob, { attempt, transformer }: Delivery) {
  return {
    job_id: job.job_id,
    workflow_id: job.workflow_id,
    step_id: attempt.step_id,
    visit: attempt.visit,
    attempt: attempt.attempt,
    transformer_id: transformer.id,
    trace_id: job.trace_id.replaceAll("-", ""),
  };
}
