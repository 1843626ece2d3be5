import { evaluationContext } from "../job.ts";
import type { StepHandler } from "./handler.ts";

/** Computes its output on the spot. */
export const transformHandler: StepHandler<"transform"> = {
  async begin(job, checked) {
    return { type: "completed", output: await checked.output.evaluate(evaluationContext(job)) };
  },
};
