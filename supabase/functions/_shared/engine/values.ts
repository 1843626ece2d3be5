import type { CompiledValue, EvaluationContext } from "./context.ts";
import { compileExpression } from "./expressions.ts";
import { copyOf, isRecord, setOwn } from "./json.ts";
import { parsePath } from "./path/parse.ts";
import { type Path, PathSyntaxError } from "./path/path.ts";
import { printValue, resolvePath } from "./path/resolve.ts";
import { type Place, within } from "./place.ts";
import { type Report, show } from "./problem.ts";
import { isTemplate, parseTemplate, type TemplatePart } from "./template.ts";

export type { CompiledValue, EvaluationContext } from "./context.ts";

const EXPRESSION_KEY = "$expr";
const LITERAL_KEY = "$literal";

/** For constants, which do not look at it. */
const NO_CONTEXT: EvaluationContext = { document: {}, now: new Date(0), seed: "" };

/**
 * Compiles a value of the definition: JSON whose strings may be paths and templates, and whose
 * objects may be `{ "$expr" }` and `{ "$literal" }`.
 * @param place where it stands, for error messages
 * @param report is told of every part that cannot be parsed; such a value must not be evaluated
 */
export function compileValue(raw: unknown, place: Place, report: Report): CompiledValue {
  if (typeof raw === "string") return compileString(raw, place, report);
  if (Array.isArray(raw)) return compileArray(raw, place, report);
  if (isRecord(raw)) return compileObject(raw, place, report);
  return constant(raw);
}

function compileString(text: string, place: Place, report: Report): CompiledValue {
  try {
    if (text.startsWith("$")) return compilePath(parsePath(text), place);
    return isTemplate(text) ? compileTemplate(parseTemplate(text), place) : constant(text);
  } catch (error) {
    if (!(error instanceof PathSyntaxError)) throw error;
    const kind = text.startsWith("$") ? "a JSONPath as it begins with '$'" : "a template";
    const literal = `{ "${LITERAL_KEY}": ${show(text)} }`;
    report({
      path: place,
      message: `must be ${kind} (for the text itself write ${literal}): ${error.message}`,
    });
    return constant(null);
  }
}

function compilePath(path: Path, place: Place): CompiledValue {
  return dynamic(({ document }) => {
    const value = resolvePath(document, path, place);
    return value === undefined ? null : value;
  });
}

function compileTemplate(parts: readonly TemplatePart[], place: Place): CompiledValue {
  const [only] = parts;
  if (parts.length === 1 && typeof only === "object") return compilePath(only, place);
  return dynamic(({ document }) => {
    let text = "";
    for (const part of parts) {
      text += typeof part === "string" ? part : printPath(document, part, place);
    }
    return text;
  });
}

function printPath(document: unknown, path: Path, place: Place): string {
  const value = resolvePath(document, path, place);
  return value === undefined || (value === null && path.optional)
    ? ""
    : printValue(value, path, place);
}

function compileArray(raw: readonly unknown[], place: Place, report: Report): CompiledValue {
  const items = raw.map((item, i) => compileValue(item, within(place, i), report));
  return assemble(items, {
    sync: (context) => items.map((item) => item.evaluate(context)),
    async: async (context) => {
      const values: unknown[] = [];
      // One after the other: which error is met first must not depend on timing.
      for (const item of items) values.push(await item.evaluate(context));
      return values;
    },
  });
}

function compileObject(
  raw: Readonly<Record<string, unknown>>,
  place: Place,
  report: Report,
): CompiledValue {
  if (Object.hasOwn(raw, EXPRESSION_KEY) || Object.hasOwn(raw, LITERAL_KEY)) {
    return compileMarked(raw, place, report);
  }
  const entries = Object.entries(raw).map(([key, value]) =>
    [key, compileValue(value, within(place, key), report)] as const
  );
  return assemble(entries.map(([, value]) => value), {
    sync: (context) => {
      const object: Record<string, unknown> = {};
      for (const [key, value] of entries) setOwn(object, key, value.evaluate(context));
      return object;
    },
    async: async (context) => {
      const object: Record<string, unknown> = {};
      for (const [key, value] of entries) setOwn(object, key, await value.evaluate(context));
      return object;
    },
  });
}

/** Two ways to put parts together, of which the slower one is for parts that are promises. */
interface Assembly {
  sync(context: EvaluationContext): unknown;
  async(context: EvaluationContext): Promise<unknown>;
}

function assemble(parts: readonly CompiledValue[], assembly: Assembly): CompiledValue {
  if (parts.some((part) => part.async)) return dynamicAsync(assembly.async);
  if (parts.some((part) => !part.constant)) return dynamic(assembly.sync);
  return constant(assembly.sync(NO_CONTEXT));
}

function compileMarked(
  raw: Readonly<Record<string, unknown>>,
  place: Place,
  report: Report,
): CompiledValue {
  const keys = Object.keys(raw);
  const [key] = keys;
  if (keys.length > 1) {
    const marker = Object.hasOwn(raw, EXPRESSION_KEY) ? EXPRESSION_KEY : LITERAL_KEY;
    report({
      path: place,
      message: `must have no key beside '${marker}': current keys are ${keys.join(", ")}`,
    });
    return constant(null);
  }
  if (key === LITERAL_KEY) return constant(raw[LITERAL_KEY]);
  const expression = compileExpression(raw[EXPRESSION_KEY], within(place, EXPRESSION_KEY), report);
  return dynamicAsync((context) => expression.evaluate(context));
}

function constant(value: unknown): CompiledValue {
  return { evaluate: () => copyOf(value), async: false, constant: true };
}

function dynamic(evaluate: (context: EvaluationContext) => unknown): CompiledValue {
  return { evaluate, async: false, constant: false };
}

function dynamicAsync(evaluate: (context: EvaluationContext) => Promise<unknown>): CompiledValue {
  return { evaluate, async: true, constant: false };
}
