import type { WaitForEventStep } from "../../../contracts/definition.ts";
import { type CompiledExpression, compileExpression } from "../../expressions.ts";
import { within } from "../../place.ts";
import type { CompiledValue } from "../../values.ts";
import { compileKey, compileRuled } from "../compile_key.ts";
import { eventNameRule } from "../value_rules.ts";
import { ORDINARY, type StepCheck, targetAt } from "./step_check.ts";

/** A wait for an event, ready to be begun for any job. */
export interface CheckedWaitForEvent {
  readonly step: WaitForEventStep;
  readonly event: CompiledValue;
  /** Null: events with any key or none. */
  readonly key: CompiledValue | null;
  /** Null: the first such event will do. */
  readonly match: CompiledExpression | null;
}

export const waitForEventCheck: StepCheck<WaitForEventStep, CheckedWaitForEvent> = {
  ...ORDINARY,
  compile: (step, { place }, report) => ({
    step,
    event: compileRuled(step.event, within(place, "event"), report, eventNameRule),
    key: compileKey(step, "key", place, report, eventNameRule),
    match: step.match === undefined
      ? null
      : compileExpression(step.match, within(place, "match"), report),
  }),
  targets: (step, place) => targetAt(within(place, "on_timeout"), step.on_timeout),
};
