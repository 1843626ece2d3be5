import type { Step, StepType } from "../../../contracts/definition.ts";
import type { StepCheck } from "./step_check.ts";
import { taskCheck } from "./task.ts";

const CHECKS = {
  task: taskCheck,
} satisfies { readonly [T in StepType]: unknown };

/** A step of any type with what is particular to its type compiled. */
export type CompiledStep = ReturnType<(typeof CHECKS)[StepType]["compile"]>;

/** How steps of this step's type are checked. */
export function checkOf(step: Step): StepCheck<Step, CompiledStep> {
  return CHECKS[step.type];
}
