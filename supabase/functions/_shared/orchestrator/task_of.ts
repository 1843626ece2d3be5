import type { Task } from "../contracts/executor.ts";
import type { Delivery } from "../engine/decision.ts";
import type { Job } from "../engine/job.ts";
import { idempotencyKey } from "../engine/keys.ts";

/**
 * The task that an executor is sent for one delivery. `now` is in ms since 1970 by the executors'
 * clock; `token` is what finishes the step later, null where nothing does.
 */
export function taskOf(
  job: Job,
  { attempt, transformer, config, input, timeoutSeconds, redeliveries }: Delivery,
  { now, token }: { now: number; token: string | null },
): Task {
  const key = idempotencyKey(job.job_id, attempt);
  return {
    task_id: `${key}#${redeliveries}`,
    idempotency_key: key,
    job_id: job.job_id,
    user_id: job.user_id,
    workflow_id: job.workflow_id,
    step_id: attempt.step_id,
    attempt: attempt.attempt,
    deadline: new Date(now + timeoutSeconds * 1000).toISOString(),
    transformer_id: transformer.id,
    type: transformer.type,
    config,
    input,
    trace_id: job.trace_id.replaceAll("-", ""),
    ...(token === null ? {} : { token }),
  };
}
