import type jsonata from "jsonata";
import { ExpressionFailure } from "./failure.ts";
import { type Environment, runOf } from "./run.ts";

const ENTER = Symbol.for("jsonata.__evaluate_entry");
const KEEP = "keepSingleton";
const LEAVE = Symbol.for("jsonata.__evaluate_exit");

/**
 * Has JSONata tell the run of every node, and keeps it from leaving marks in the job document: on
 * what is called as a function before it finds that it is none, and on what `path[]` finds.
 */
export function installHooks(expression: jsonata.Expression, callees: ReadonlySet<unknown>): void {
  assign(expression, ENTER, (_node: unknown, _input: unknown, environment: Environment) => {
    runOf(environment).enter(environment);
  });
  assign(
    expression,
    LEAVE,
    (node: unknown, _input: unknown, environment: Environment, result: unknown) => {
      runOf(environment).leave(result);
      if (Array.isArray(result) && KEEP in result && !isSequence(result)) {
        // The mark counts on JSONata's own arrays only; this one may be the document's.
        Reflect.deleteProperty(result, KEEP);
      }
      if (callees.has(node) && isData(result)) {
        throw new ExpressionFailure("it calls something that is not a function");
      }
    },
  );
}

/** Whether an array is one that JSONata has made to hold what a path finds. */
function isSequence(result: readonly unknown[]): boolean {
  return "sequence" in result;
}

function isData(result: unknown): boolean {
  if (Array.isArray(result)) {
    // JSONata unwraps a sequence of its own that has one item, and takes an empty one for nothing.
    if (!isSequence(result) || result.length > 1) return true;
    return result.length === 1 && isData(result[0]);
  }
  if (typeof result !== "object" || result === null) return false;
  const marks = result as { implementation?: unknown; environment?: { lookup?: unknown } | null };
  return typeof marks.implementation !== "function" &&
    typeof marks.environment?.lookup !== "function";
}

/** The type says `string`; JSONata's own hooks have symbols for names. */
function assign(expression: jsonata.Expression, name: symbol, value: unknown): void {
  (expression.assign as (name: unknown, value: unknown) => void)(name, value);
}
