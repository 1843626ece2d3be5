import type { EvaluationContext } from "./context.ts";
import { isTruthy } from "./expressions/truth.ts";
import { expressionError } from "./expressions/failure.ts";
import { parseExpression } from "./expressions/parse.ts";
import { toPlainJson } from "./expressions/plain.ts";
import { bindRun, Run } from "./expressions/run.ts";
import type { Place } from "./place.ts";
import { type Report, show } from "./problem.ts";

/** A JSONata expression of the definition, parsed, and ready for any job. */
export interface CompiledExpression {
  /**
   * The result as plain JSON.
   * @throws {EngineError} `expression_failed`, also where the expression finds nothing
   */
  evaluate(context: EvaluationContext): Promise<unknown>;
  /**
   * Whether the result counts as true, as JSONata's `$boolean` has it; nothing counts as false.
   * @throws {EngineError} `expression_failed`
   */
  test(context: EvaluationContext): Promise<boolean>;
}

/**
 * Parses an expression.
 * @param place where it stands, for error messages
 * @param report is told when it cannot be parsed; such an expression must not be evaluated
 */
export function compileExpression(text: unknown, place: Place, report: Report): CompiledExpression {
  if (typeof text !== "string") {
    report({
      path: place,
      message: `must be a JSONata expression: current value is ${show(text)}`,
    });
    return compileExpression("null", place, report);
  }
  const expression = parseExpression(text, place, report);
  const run = async (context: EvaluationContext): Promise<unknown> => {
    try {
      return await expression.evaluate(context.document, bindRun(new Run(context, place)));
    } catch (error) {
      throw expressionError(place, text, error);
    }
  };
  return {
    test: async (context) => isTruthy(await run(context)),
    evaluate: async (context) => {
      const result = await run(context);
      try {
        return toPlainJson(result);
      } catch (error) {
        throw expressionError(place, text, error);
      }
    },
  };
}
