import type { FailStep } from "../../../contracts/definition.ts";
import type { CompiledValue } from "../../values.ts";
import { compileKey } from "../compile_key.ts";
import { errorCodeRule, textRule } from "../value_rules.ts";
import { ORDINARY, type StepCheck } from "./step_check.ts";

/** A bad end, ready for any job. */
export interface CheckedFail {
  readonly step: FailStep;
  readonly code: CompiledValue | null;
  readonly message: CompiledValue | null;
}

export const failCheck: StepCheck<FailStep, CheckedFail> = {
  ...ORDINARY,
  instant: true,
  compile: (step, { place }, report) => ({
    step,
    code: compileKey(step, "code", place, report, errorCodeRule),
    message: compileKey(step, "message", place, report, textRule),
  }),
  mayEnd: () => true,
};
