import type { TaskStep } from "../../../contracts/definition.ts";
import { within } from "../../place.ts";
import type { CompiledValue } from "../../values.ts";
import { compileKey } from "../compile_key.ts";
import { type CheckedValidate, compileValidate, validateTargets } from "../validate.ts";
import { ORDINARY, type StepCheck } from "./step_check.ts";

/** A task, ready to be run for any job. */
export interface CheckedTask {
  readonly step: TaskStep;
  /** Its `input_map`; null: the output of the step that led here, or `job_input`. */
  readonly input: CompiledValue | null;
  /** Null: any output will do. */
  readonly validate: CheckedValidate | null;
}

export const taskCheck: StepCheck<TaskStep, CheckedTask> = {
  ...ORDINARY,
  compile: (step, { place }, report) => ({
    step,
    input: compileKey(step, "input_map", place, report),
    validate: step.validate === undefined
      ? null
      : compileValidate(step.validate, within(place, "validate"), report),
  }),
  targets: (step, place) => validateTargets(step.validate, within(place, "validate")),
};
