import { errorInfo } from "../contracts/errors.ts";
import type { Decision } from "../engine/decision.ts";
import { failJob, plan } from "../engine/plan.ts";
import type { HeldEvent, HeldJob } from "./held_job.ts";
import type { RunDependencies } from "./run.ts";

/** Decides about a held job; an engine that cannot go on fails the job and nothing else. */
export async function planHeld(
  { clock, random, newId, catalog, config, log }: RunDependencies,
  held: HeldJob,
  event: HeldEvent,
): Promise<Decision> {
  const now = clock.now();
  const { definition } = held;
  if ("code" in definition) return failJob(held.job, now, definition);
  try {
    return await plan(
      {
        definition,
        transformers: catalog.transformers,
        now,
        random: random(),
        maxRedeliveries: config.maxRedeliveries,
        maxPayloadBytes: config.maxPayloadBytes,
        newId: newId(),
      },
      held.job,
      event.type === "messages"
        ? { ...event, sent: held.sent ?? { input: null, startedAt: now } }
        : event,
    );
  } catch (error) {
    log.error("plan_failed", { job_id: held.job.job_id, event: event.type, error });
    return failJob(
      held.job,
      now,
      errorInfo("internal", "The engine could not go on with the job"),
    );
  }
}
