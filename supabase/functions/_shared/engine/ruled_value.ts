import type { CompiledValue, EvaluationContext } from "./context.ts";
import type { ValueRule } from "./definition/compile_key.ts";
import { EngineError } from "./errors.ts";
import type { Place } from "./place.ts";
import { show } from "./problem.ts";

/**
 * The value of a key for one job, held against the rule that its constants are held against when
 * the definition is registered.
 *
 * @param place where it stands in the definition
 * @throws {EngineError} `mapping_failed` where it breaks the rule, or a path leads nowhere;
 * `expression_failed`
 */
export async function ruledValue(
  value: CompiledValue,
  context: EvaluationContext,
  rule: ValueRule,
  place: Place,
): Promise<unknown> {
  const found = await value.evaluate(context);
  const fault = rule(found);
  if (fault === undefined) return found;
  throw new EngineError("mapping_failed", `'${place}' ${fault}: current value is ${show(found)}`);
}
