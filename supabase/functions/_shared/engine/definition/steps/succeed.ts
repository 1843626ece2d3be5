import type { SucceedStep } from "../../../contracts/definition.ts";
import type { CompiledValue } from "../../values.ts";
import { compileKey } from "../compile_key.ts";
import { ORDINARY, type StepCheck } from "./step_check.ts";

/** A good end, ready for any job. */
export interface CheckedSucceed {
  readonly step: SucceedStep;
  /** Null: the result is made as after any last step. */
  readonly output: CompiledValue | null;
}

export const succeedCheck: StepCheck<SucceedStep, CheckedSucceed> = {
  ...ORDINARY,
  instant: true,
  compile: (step, { place }, report) => ({
    step,
    output: compileKey(step, "output", place, report),
  }),
  mayEnd: () => true,
};
