import { EngineError } from "../errors.ts";
import { evaluationContext } from "../job.ts";
import type { StepHandler } from "./handler.ts";

/** The first of its choices that is true says where to go on. */
export const choiceHandler: StepHandler<"choice"> = {
  async begin(job, checked) {
    const context = evaluationContext(job);
    for (const { when, next_step } of checked.choices) {
      if (await when.test(context)) return chosen(next_step);
    }
    if (checked.step.default !== undefined) return chosen(checked.step.default);
    throw new EngineError(
      "no_choice_matched",
      `None of the choices of step '${checked.id}' is true, and it has no default`,
    );
  },
};

function chosen(next_step: string) {
  return { type: "completed", output: { next_step }, next: next_step, handsOn: false } as const;
}
