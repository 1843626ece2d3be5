import { errorInfo } from "../../contracts/errors.ts";
import type { CompiledValue } from "../context.ts";
import { iso } from "../draft.ts";
import { EngineError } from "../errors.ts";
import { evaluationContext, type Job } from "../job.ts";
import { show } from "../problem.ts";
import type { StepHandler } from "./handler.ts";

const MAX_NAME = 200;

/** Waits until an event of its name is emitted that its `match` takes. */
export const waitForEventHandler: StepHandler<"wait_for_event"> = {
  async begin(job, checked, { now }) {
    const { id, step } = checked;
    const event = await textOf(job, `steps.${id}.event`, checked.event);
    const key = checked.key === null ? null : await textOf(job, `steps.${id}.key`, checked.key);
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

async function textOf(job: Job, place: string, value: CompiledValue): Promise<string> {
  const text = await value.evaluate(evaluationContext(job));
  if (typeof text === "number" || typeof text === "boolean") return String(text);
  if (typeof text === "string" && text.length >= 1 && text.length <= MAX_NAME) return text;
  throw new EngineError(
    "mapping_failed",
    `Cannot wait for an event as '${place}' must be a text of 1 to ${MAX_NAME} characters: current value is ${
      show(text)
    }`,
  );
}
