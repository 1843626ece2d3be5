import { EngineError } from "../errors.ts";
import { entryOf, evaluationContext, type Job } from "../job.ts";
import type { StepHandler } from "./handler.ts";

/** Work for an executor: maps the input and names who does it. */
export const taskHandler: StepHandler<"task"> = {
  async begin(job, checked, { transformers }) {
    const { step } = checked;
    const transformer = transformers.get(step.transformer_id);
    if (transformer === undefined) {
      throw new EngineError(
        "transformer_not_found",
        `Cannot run step '${checked.id}' as there is no transformer '${step.transformer_id}'`,
      );
    }
    const input = checked.input === null
      ? inputFromBefore(job)
      : await checked.input.evaluate(evaluationContext(job));
    return {
      type: "dispatch",
      delivery: {
        attempt: {
          step_id: checked.id,
          visit: job.state.visit,
          attempt: job.state.attempt,
        },
        transformer,
        config: { ...transformer.config, ...step.config },
        input,
        timeoutSeconds: step.timeout_seconds,
        callback: step.callback,
        redeliveries: job.redeliveries,
      },
    };
  },

  transformerId: (step) => step.transformer_id,
};

function inputFromBefore(job: Job): unknown {
  const { previous_step } = job.state;
  return previous_step === null ? job.input_data : entryOf(job, previous_step)?.output ?? null;
}
