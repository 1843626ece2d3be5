import { iso } from "../draft.ts";
import { secondsRule, timeRule } from "../definition/value_rules.ts";
import { evaluationContext } from "../job.ts";
import { ruledValue } from "../ruled_value.ts";
import type { StepHandler } from "./handler.ts";

/** A timer. */
export const waitHandler: StepHandler<"wait"> = {
  async begin(job, { id, seconds, until }, { now }) {
    const context = evaluationContext(job);
    const end = seconds !== null
      ? now + Number(await ruledValue(seconds, context, secondsRule, `steps.${id}.seconds`)) * 1000
      : until !== null
      ? timeOf(await ruledValue(until, context, timeRule, `steps.${id}.until`))
      : now;
    if (end <= now) return DONE;
    return { type: "parked", waiting: { kind: "timer", since: iso(now), until: iso(end) } };
  },

  expire: () => DONE,
};

/** Later than this a time zone may lead into a year of five digits, which is no RFC 3339. */
const LATEST = Date.parse("9999-12-31T00:00:00Z");

function timeOf(text: unknown): number {
  return Math.min(Date.parse(String(text)), LATEST);
}

const DONE = { type: "completed", output: null, handsOn: false } as const;
