import type { WorkflowStep } from "../../../contracts/definition.ts";
import type { CompiledValue } from "../../values.ts";
import { compileKey } from "../compile_key.ts";
import { ORDINARY, type StepCheck } from "./step_check.ts";

/** A job of another workflow, ready to be started for any job. */
export interface CheckedWorkflow {
  readonly step: WorkflowStep;
  /** Null: the output of the step that led here, or `job_input`. */
  readonly input: CompiledValue | null;
}

export const workflowCheck: StepCheck<WorkflowStep, CheckedWorkflow> = {
  ...ORDINARY,
  compile: (step, { place }, report) => ({
    step,
    input: compileKey(step, "input_map", place, report),
  }),
  startsChildren: (step) => !step.detached,
};
