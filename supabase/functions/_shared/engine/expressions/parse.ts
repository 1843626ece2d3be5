import jsonata from "jsonata";
import type { Place } from "../place.ts";
import type { Report } from "../problem.ts";
import { checkSyntax } from "./check_syntax.ts";
import { messageOf } from "./failure.ts";
import { overrideFunctions } from "./functions.ts";
import { MAX_ITEMS } from "./limits.ts";
import { installHooks } from "./hooks.ts";

/** Parses an expression for use by many evaluations, side by side. */
export function parseExpression(text: string, place: Place, report: Report): jsonata.Expression {
  try {
    const expression = jsonata(text, { sequence: MAX_ITEMS });
    const { problems, callees } = checkSyntax(expression.ast());
    for (const message of problems) report({ path: place, message });
    overrideFunctions(expression);
    installHooks(expression, callees);
    return expression;
  } catch (error) {
    report({ path: place, message: `must be a JSONata expression: ${messageOf(error)}` });
    return jsonata("null");
  }
}
