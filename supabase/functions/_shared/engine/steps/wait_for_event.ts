import { errorInfo } from "../../contracts/errors.ts";
import type { CompiledValue } from "../context.ts";
import { iso } from "../draft.ts";
import { eventNameRule } from "../definition/value_rules.ts";
import { evaluationContext, type Job } from "../job.ts";
import { ruledValue } from "../ruled_value.ts";
import type { StepHandler } from "./handler.ts";

/** Waits until an event of its name is emitted that its `match` takes. */
export const waitForEventHandler: StepHandler<"wait_for_event"> = {
  async begin(job, checked, { now }) {
    const { id, step } = checked;
    const context = evaluationContext(job);
    const text = async (value: CompiledValue, key: string) =>
      String(await ruledValue(value, context, eventNameRule, `steps.${id}.${key}`));
    const event = await text(checked.event, "event");
    const key = checked.key === null ? null : await text(checked.key, "key");
    const after = job.state.events[id] ?? 0;
    const until = step.timeout_seconds === undefined
      ? null
      : iso(now + step.timeout_seconds * 1000);
    return {
      type: "parked",
      waiting: { kind: "event", since: iso(now), until, event, key, after },
      subscription: { event, key, after, since: beganAt(job) },
    };
  },

  expire(_job, { id, step }) {
    const error = errorInfo(
      "event_timeout",
      `No event came for step '${id}' within ${step.timeout_seconds} s`,
    );
    return { type: "failed", error, next: step.on_timeout };
  },

  async receive(job, checked, { payload }) {
    const event = payload["payload"] ?? null;
    if (checked.match !== null && !await checked.match.test(evaluationContext(job, { event }))) {
      return null;
    }
    return { type: "completed", output: event };
  },
};

/** Events count from when the workflow began, also within a branch. */
export function beganAt(job: Job): string {
  return job.around?.[0]?.created_at ?? job.created_at;
}
