import type { TransformStep } from "../../../contracts/definition.ts";
import { within } from "../../place.ts";
import type { CompiledValue } from "../../values.ts";
import { compileRuled } from "../compile_key.ts";
import { ORDINARY, type StepCheck } from "./step_check.ts";

/** A computation, ready to be made for any job. */
export interface CheckedTransform {
  readonly step: TransformStep;
  readonly output: CompiledValue;
}

export const transformCheck: StepCheck<TransformStep, CheckedTransform> = {
  ...ORDINARY,
  instant: true,
  compile: (step, { place }, report) => ({
    step,
    output: compileRuled(step.output, within(place, "output"), report),
  }),
};
