import type { WaitStep } from "../../../contracts/definition.ts";
import type { CompiledValue } from "../../values.ts";
import { compileKey } from "../compile_key.ts";
import { secondsRule, timeRule } from "../value_rules.ts";
import { ORDINARY, type StepCheck } from "./step_check.ts";

/** A timer, ready to be set for any job: exactly one of the two is there. */
export interface CheckedWait {
  readonly step: WaitStep;
  readonly seconds: CompiledValue | null;
  readonly until: CompiledValue | null;
}

export const waitCheck: StepCheck<WaitStep, CheckedWait> = {
  ...ORDINARY,
  compile: (step, { place }, report) => ({
    step,
    seconds: compileKey(step, "seconds", place, report, secondsRule),
    until: compileKey(step, "until", place, report, timeRule),
  }),
};
