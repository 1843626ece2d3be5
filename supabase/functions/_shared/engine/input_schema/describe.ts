import type { OutputUnit } from "@cfworker/json-schema";
import { type Place, within } from "../place.ts";
import type { Problem } from "../problem.ts";

/** How many faults are listed; the rest is counted. */
export const MAX_FAULTS = 100;

/** Keywords that only say that something within them has a fault, which follows in the list. */
const WRAPPERS: ReadonlySet<string> = new Set([
  "$ref",
  "additionalProperties",
  "allOf",
  "dependentSchemas",
  "if",
  "items",
  "patternProperties",
  "prefixItems",
  "properties",
  "propertyNames",
  "unevaluatedItems",
  "unevaluatedProperties",
]);

/** Keywords whose alternatives all failed: the faults of each would contradict one another. */
const ALTERNATIVES: ReadonlySet<string> = new Set(["anyOf", "oneOf"]);

/** Turns what the validator found wrong with a value into problems that a user can act on. */
export function describeFaults(
  units: readonly OutputUnit[],
  value: unknown,
  name: Place,
): Problem[] {
  const faults: OutputUnit[] = [];
  let alternatives: string | undefined;
  for (const unit of units) {
    if (alternatives !== undefined && unit.keywordLocation.startsWith(alternatives)) continue;
    if (WRAPPERS.has(unit.keyword)) continue;
    alternatives = ALTERNATIVES.has(unit.keyword) ? `${unit.keywordLocation}/` : undefined;
    faults.push(unit);
  }
  const listed = faults.slice(0, MAX_FAULTS).map((unit) => describe(unit, value, name));
  const rest = faults.length - listed.length;
  return rest === 0 ? listed : [...listed, { path: name, message: `has ${rest} more faults` }];
}

function describe(unit: OutputUnit, value: unknown, name: Place): Problem {
  const path = placeIn(unit.instanceLocation, value, name);
  const quoted = /"(.*)"/s.exec(unit.error)?.[1] ?? "";
  switch (unit.keyword) {
    case "required":
      return { path: within(path, quoted), message: "is required" };
    case "false":
      return { path, message: "is not allowed" };
    case "type": {
      const [, current, expected] = /^Instance type "(\w+)".*Expected "(.*)"\.$/.exec(unit.error) ??
        [];
      const types = expected?.split('", "').join(" or ");
      return { path, message: `must be of type ${types}: current type is ${current}` };
    }
    case "enum":
    case "const":
      return { path, message: unit.error.replace(/^.*? match (.*)\.$/s, "must be $1") };
    case "anyOf":
      return { path, message: "must fit one of the forms allowed: it fits none" };
    case "oneOf": {
      const matches = /\((\d+) matches\)/.exec(unit.error)?.[1] ?? "0";
      return { path, message: `must fit exactly one of the forms allowed: it fits ${matches}` };
    }
    default: {
      const text = unit.error.replace(/\.$/, "");
      return { path, message: text.charAt(0).toLowerCase() + text.slice(1) };
    }
  }
}

/** `#/items/0/id` of a value as a place: whether `0` is an index, only the value knows. */
function placeIn(pointer: string, value: unknown, name: Place): Place {
  let place = name;
  let current = value;
  for (const part of pointer.split("/").slice(1)) {
    const key = decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
    place = within(place, Array.isArray(current) ? Number(key) : key);
    current = (current as Record<string, unknown> | null | undefined)?.[key];
  }
  return place;
}
