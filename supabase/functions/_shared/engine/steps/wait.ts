import { MAX_WAIT_SECONDS } from "../../contracts/definition.ts";
import type { CompiledValue } from "../context.ts";
import { iso } from "../draft.ts";
import { EngineError } from "../errors.ts";
import { evaluationContext, type Job } from "../job.ts";
import { show } from "../problem.ts";
import type { StepHandler } from "./handler.ts";

/** RFC 3339 with its offset, as far as a time of the calendar goes. */
const TIME = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d+)?)?([Zz]|[+-]\d\d:\d\d)$/;

/** A timer. */
export const waitHandler: StepHandler<"wait"> = {
  async begin(job, checked, { now }) {
    const { id, seconds, until } = checked;
    const end = seconds !== null
      ? now + await secondsOf(job, id, seconds) * 1000
      : await timeOf(job, id, until);
    if (end <= now) return DONE;
    return { type: "parked", waiting: { kind: "timer", since: iso(now), until: iso(end) } };
  },

  expire: () => DONE,
};

const DONE = { type: "completed", output: null, handsOn: false } as const;

async function secondsOf(job: Job, id: string, value: CompiledValue): Promise<number> {
  const seconds = await value.evaluate(evaluationContext(job));
  if (typeof seconds === "number" && seconds >= 0 && seconds <= MAX_WAIT_SECONDS) return seconds;
  throw new EngineError(
    "mapping_failed",
    `Cannot wait as 'steps.${id}.seconds' must be a number from 0 to ${MAX_WAIT_SECONDS}: current value is ${
      show(seconds)
    }`,
  );
}

async function timeOf(job: Job, id: string, value: CompiledValue | null): Promise<number> {
  const text = await value?.evaluate(evaluationContext(job));
  const time = typeof text === "string" && TIME.test(text) ? Date.parse(text) : NaN;
  const now = Date.parse(job.created_at);
  if (Number.isFinite(time) && time <= now + 10 * MAX_WAIT_SECONDS * 1000) return time;
  throw new EngineError(
    "mapping_failed",
    `Cannot wait as 'steps.${id}.until' must be a time of RFC 3339 with its offset, at most ten years from now: current value is ${
      show(text)
    }`,
  );
}
