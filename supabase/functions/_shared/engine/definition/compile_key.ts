import { type Place, within } from "../place.ts";
import type { Report } from "../problem.ts";
import { show } from "../problem.ts";
import { type CompiledValue, compileValue, type EvaluationContext } from "../values.ts";

/**
 * A rule for what a value must come to: the clause that it breaks (`must be …`), or `undefined`
 * where it holds.
 */
export type ValueRule = (value: unknown) => string | undefined;

/** For constants, which do not look at it. */
const NO_CONTEXT: EvaluationContext = { document: {}, now: new Date(0), seed: "" };

/**
 * Compiles the value under a key; null where the key is absent. A value that is the same for every
 * job is held against the rule at once.
 * @param place where the object that may have the key stands
 */
export function compileKey<K extends string>(
  object: { readonly [key in K]?: unknown },
  key: K,
  place: Place,
  report: Report,
  rule?: ValueRule,
): CompiledValue | null {
  return Object.hasOwn(object, key)
    ? compileRuled(object[key], within(place, key), report, rule)
    : null;
}

/** Compiles a value that is there; see {@link compileKey}. */
export function compileRuled(
  raw: unknown,
  place: Place,
  report: Report,
  rule?: ValueRule,
): CompiledValue {
  let parsed = true;
  const value = compileValue(raw, place, (problem) => {
    parsed = false;
    report(problem);
  });
  if (parsed && value.constant && rule !== undefined) {
    const result = value.evaluate(NO_CONTEXT);
    const fault = rule(result);
    if (fault !== undefined) {
      report({ path: place, message: `${fault}: current value is ${show(result)}` });
    }
  }
  return value;
}
