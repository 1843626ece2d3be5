import { JSONPathClass } from "jsonpath-plus";
import { PathSyntaxError } from "./path.ts";

/** What a filter looks at: one child of a place, and its surroundings. */
export interface FilterSubject {
  value: unknown;
  property: string | number;
  parent: unknown;
  root: unknown;
}

/** A parsed filter expression. */
export interface Filter {
  matches(subject: FilterSubject): boolean;
}

/** The safe evaluator of jsonpath-plus: it walks a syntax tree and never makes code of a text. */
interface SafeScript {
  readonly ast: unknown;
  runInNewContext(context: object): unknown;
}
const { safeVm } = JSONPathClass.prototype as unknown as {
  safeVm: { Script: new (code: string) => SafeScript };
};

/** Methods that a filter may call: they change nothing, and their cost is that of their input. */
const METHODS: ReadonlySet<string> = new Set([
  "includes",
  "startsWith",
  "endsWith",
  "indexOf",
  "match",
  "test",
  "toLowerCase",
  "toUpperCase",
  "trim",
]);
const IDENTIFIERS: ReadonlySet<string> = new Set(["$v", "$root", "$parent", "$property"]);
const NODE_TYPES: ReadonlySet<unknown> = new Set([
  "Literal",
  "Identifier",
  "MemberExpression",
  "BinaryExpression",
  "LogicalExpression",
  "UnaryExpression",
  "ConditionalExpression",
  "ArrayExpression",
  "CallExpression",
]);

/**
 * Compiles the source of a filter, as `scanFilter` gives it. An item that it cannot be evaluated
 * on (it lacks a key that the filter looks into) does not match.
 * @throws {PathSyntaxError} when it is no expression, or one that could change the document
 */
export function compileFilter(source: string): Filter {
  const script = parseScript(source);
  checkNode(script.ast);
  return {
    matches({ value, property, parent, root }) {
      try {
        const context = { $v: value, $property: property, $parent: parent, $root: root };
        return Boolean(script.runInNewContext(context));
      } catch (error) {
        if (error instanceof RangeError) throw error;
        return false;
      }
    },
  };
}

function parseScript(source: string): SafeScript {
  try {
    return new safeVm.Script(source);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new PathSyntaxError(`a filter cannot be parsed: ${reason}`);
  }
}

interface Node {
  type: string;
  name?: unknown;
  computed?: unknown;
  callee?: Node;
  property?: Node;
}

function checkNode(node: unknown): void {
  if (Array.isArray(node)) return node.forEach(checkNode);
  if (!isNode(node)) return;
  if (!NODE_TYPES.has(node.type)) {
    throw new PathSyntaxError(
      node.type === "Compound"
        ? "a filter must be one expression"
        : `a filter cannot use a ${node.type}`,
    );
  }
  if (node.type === "Identifier" && !IDENTIFIERS.has(String(node.name))) {
    throw new PathSyntaxError(
      `a filter cannot use '${node.name}', quote it or write @.${node.name}`,
    );
  }
  if (node.type === "CallExpression") checkCall(node);
  for (const [key, child] of Object.entries(node)) {
    // The property of `a.b` is a name, not a variable.
    if (key === "property" && node.type === "MemberExpression" && node.computed !== true) continue;
    checkNode(child);
  }
}

function checkCall({ callee }: Node): void {
  const name = callee?.type === "MemberExpression" && callee.computed !== true
    ? String(callee.property?.name)
    : "";
  if (!METHODS.has(name)) {
    throw new PathSyntaxError(
      `a filter may call only ${[...METHODS].join(", ")}${name === "" ? "" : `, not ${name}`}`,
    );
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value;
}
