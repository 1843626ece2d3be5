import type { TaskStep } from "../../../contracts/definition.ts";
import { within } from "../../place.ts";
import { type CompiledValue, compileValue } from "../../values.ts";
import { onErrorTargets } from "../targets.ts";
import type { StepCheck } from "./step_check.ts";

/** A task, ready to be run for any job. */
export interface CheckedTask {
  readonly step: TaskStep;
  /** Its `input_map`; null: the output of the step that led here, or `job_input`. */
  readonly input: CompiledValue | null;
}

export const taskCheck: StepCheck<TaskStep, CheckedTask> = {
  compile: (step, place, report) => ({
    step,
    input: Object.hasOwn(step, "input_map")
      ? compileValue(step.input_map, within(place, "input_map"), report)
      : null,
  }),
  targets: (step, place) => onErrorTargets(step.on_error, within(place, "on_error")),
};
