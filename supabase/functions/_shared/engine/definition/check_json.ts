import { DEFINITION_LIMITS } from "../../contracts/definition.ts";
import { isRecord } from "../json.ts";
import { placeOf } from "../place.ts";
import type { Report } from "../problem.ts";

const { depth: maxDepth, bytes: maxBytes } = DEFINITION_LIMITS;

/**
 * A copy of a value that is JSON, within the bounds of a definition, and that Postgres can keep;
 * `undefined` when it is not, which is reported.
 */
export function checkedCopy(raw: unknown, report: Report): { value: unknown } | undefined {
  let faults = 0;
  checkNode(raw, [], (problem) => {
    faults += 1;
    report(problem);
  });
  if (faults > 0) return undefined;
  const text = JSON.stringify(raw);
  const bytes = new TextEncoder().encode(text).length;
  if (bytes > maxBytes) {
    report({
      path: "",
      message: `must be at most ${maxBytes} bytes of JSON: current size is ${bytes}`,
    });
    return undefined;
  }
  return { value: JSON.parse(text) };
}

function checkNode(node: unknown, keys: PropertyKey[], report: Report): void {
  const fault = faultOf(node);
  if (fault !== undefined) return report({ path: placeOf(keys), message: fault });
  if (typeof node !== "object" || node === null) return;
  if (keys.length >= maxDepth) {
    return report({
      path: placeOf(keys),
      message: `must be nested at most ${maxDepth} levels deep`,
    });
  }
  const children = Array.isArray(node) ? node.entries() : Object.entries(node);
  for (const [key, child] of children) {
    keys.push(key);
    const keyFault = typeof key === "string" ? faultOfKey(key) : undefined;
    if (keyFault === undefined) checkNode(child, keys, report);
    else report({ path: placeOf(keys), message: keyFault });
    keys.pop();
  }
}

function faultOf(node: unknown): string | undefined {
  switch (typeof node) {
    case "string":
      return faultOfText(node);
    case "number":
      return Number.isFinite(node) ? undefined : `must be a JSON value: current value is ${node}`;
    case "boolean":
      return undefined;
    case "object":
      return node === null || Array.isArray(node) || isRecord(node) ? undefined : "must be JSON";
    default:
      return `must be a JSON value: current type is ${typeof node}`;
  }
}

function faultOfKey(key: string): string | undefined {
  return key === "__proto__" ? "is a key that is not allowed" : faultOfText(key);
}

function faultOfText(text: string): string | undefined {
  if (text.includes("\0")) return "must not hold the character U+0000, which Postgres cannot keep";
  if (!text.isWellFormed()) return "must not hold half of a surrogate pair, which is no character";
  return undefined;
}
