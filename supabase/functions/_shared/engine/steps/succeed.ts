import { evaluationContext } from "../job.ts";
import type { StepHandler } from "./handler.ts";

/** Ends the job as completed. */
export const succeedHandler: StepHandler<"succeed"> = {
  async begin(job, { output }) {
    return {
      type: "succeed",
      result: output && { value: await output.evaluate(evaluationContext(job)) },
    };
  },
};
