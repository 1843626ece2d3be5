import type { ChoiceStep } from "../../../contracts/definition.ts";
import { type CompiledExpression, compileExpression } from "../../expressions.ts";
import { type Place, within } from "../../place.ts";
import { ORDINARY, type StepCheck, targetAt } from "./step_check.ts";

/** A way that a choice may go. */
export interface CheckedChoiceWay {
  readonly when: CompiledExpression;
  readonly next_step: string;
}

/** A choice, ready to be made for any job. */
export interface CheckedChoice {
  readonly step: ChoiceStep;
  /** To be tried in this order. */
  readonly choices: readonly CheckedChoiceWay[];
}

export const choiceCheck: StepCheck<ChoiceStep, CheckedChoice> = {
  ...ORDINARY,
  instant: true,
  compile: (step, { place }, report) => ({
    step,
    choices: step.choices.map(({ when, next_step }, i) => ({
      when: compileExpression(when, within(wayPlace(place, i), "when"), report),
      next_step,
    })),
  }),
  targets: (step, place) => [
    ...step.choices.map(({ next_step }, i) => ({
      path: within(wayPlace(place, i), "next_step"),
      step: next_step,
    })),
    ...targetAt(within(place, "default"), step.default),
  ],
  // Without a default it may fail, and its next_step counts only where `when` skips it.
  mayEnd: (step) =>
    step.default === undefined || (step.when !== undefined && ORDINARY.mayEnd(step)),
};

function wayPlace(place: Place, index: number): Place {
  return within(within(place, "choices"), index);
}
