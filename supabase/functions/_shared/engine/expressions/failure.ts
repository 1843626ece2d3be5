import { EngineError } from "../errors.ts";
import type { Place } from "../place.ts";

/** Why an expression cannot go on; thrown inside an evaluation. */
export class ExpressionFailure extends Error {
  override readonly name = "ExpressionFailure";
}

/** Turns whatever ended an evaluation into the one error that users see. */
export function expressionError(place: Place, expression: string, error: unknown): EngineError {
  const code = isJsonataError(error) && typeof error.code === "string" ? { code: error.code } : {};
  return new EngineError("expression_failed", `Cannot evaluate ${place}: ${messageOf(error)}`, {
    place,
    expression,
    ...code,
  });
}

/** What an error of JSONata says, and where in the expression. Its errors are plain objects. */
export function messageOf(error: unknown): string {
  if (error instanceof RangeError) return "the expression is nested too deeply or grows too large";
  if (!isJsonataError(error)) return String(error);
  const text = String(error.message ?? error.code ?? "unknown error");
  const position = typeof error.position === "number" ? ` at position ${error.position}` : "";
  return text.replace(/\.$/, "") + position;
}

function isJsonataError(
  error: unknown,
): error is { code?: unknown; message?: unknown; position?: unknown } {
  return typeof error === "object" && error !== null;
}
