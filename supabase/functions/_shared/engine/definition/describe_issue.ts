import type { z } from "zod";
import { isRecord } from "../json.ts";
import { type Place, within } from "../place.ts";
import { type Problem, show } from "../problem.ts";

type Issue = z.core.$ZodIssue;

const MOST_KEYS_SHOWN = 20;

const NOUNS: Readonly<Record<string, string>> = {
  array: "a list",
  boolean: "true or false",
  int: "an integer",
  number: "a number",
  object: "an object",
  record: "an object",
  string: "a string",
};

/**
 * What the schema of a definition found wrong, as problems that a user can act on.
 * @param raw the value that the schema was applied to
 * @param base where that value stands in the definition
 */
export function describeIssue(issue: Issue, raw: unknown, base: Place): Problem[] {
  const place = issue.path.reduce<Place>(within, base);
  const value = valueAt(raw, issue.path);
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      path: within(place, key),
      message: "is not a known key",
    }));
  }
  if (issue.code === "invalid_union" && issue.errors.length > 0) {
    return describeUnion(issue.errors, value, place);
  }
  const message = value === undefined ? "is required" : describeValue(issue, value);
  return [{ path: place, message }];
}

/** Of a value that may have several forms, the faults in the one form that it has. */
function describeUnion(
  forms: readonly (readonly Issue[])[],
  value: unknown,
  place: Place,
): Problem[] {
  const meant = forms.find((issues) => !issues.some(isOtherType));
  if (meant !== undefined) return meant.flatMap((issue) => describeIssue(issue, value, place));
  const nouns = forms.flat().filter(isOtherType).map(({ expected }) => NOUNS[expected] ?? expected);
  const message = `must be ${nouns.join(" or ")}: current value is ${show(value)}`;
  return [{ path: place, message }];
}

function isOtherType(issue: Issue): issue is z.core.$ZodIssueInvalidType {
  return issue.code === "invalid_type" && issue.path.length === 0;
}

function describeValue(issue: Issue, value: unknown): string {
  const current = `: current value is ${show(value)}`;
  switch (issue.code) {
    case "invalid_type":
      return `must be ${NOUNS[issue.expected] ?? issue.expected}${current}`;
    case "invalid_value":
      return `must be one of ${issue.values.join(", ")}${current}`;
    case "too_small":
      return `must ${bound(issue.origin, issue.inclusive ? ">=" : ">", issue.minimum)}${current}`;
    case "too_big":
      return `must ${bound(issue.origin, issue.inclusive ? "<=" : "<", issue.maximum)}${current}`;
    case "invalid_union":
      // Of a union that is told apart by a key, here under the key itself.
      return `must be one of ${optionsOf(issue).join(", ")}${current}`;
    case "invalid_key":
      return `${issue.issues[0]?.message ?? issue.message}${current}`;
    case "custom":
      return `${issue.message}${isRecord(value) ? currentKeys(value) : current}`;
    default:
      return `${issue.message}${current}`;
  }
}

function currentKeys(value: Readonly<Record<string, unknown>>): string {
  const keys = Object.keys(value);
  return keys.length > MOST_KEYS_SHOWN
    ? `: current number of keys is ${keys.length}`
    : `: current keys are ${keys.join(", ") || "none"}`;
}

function optionsOf(issue: z.core.$ZodIssueInvalidUnion): readonly unknown[] {
  return "options" in issue && issue.options !== undefined ? issue.options : [];
}

function bound(origin: string, sign: string, limit: number | bigint): string {
  if (origin === "string") return `have a length ${sign} ${limit}`;
  return origin === "array" ? `have a number of items ${sign} ${limit}` : `be ${sign} ${limit}`;
}

function valueAt(raw: unknown, keys: readonly PropertyKey[]): unknown {
  return keys.reduce<unknown>(
    (value, key) => (value as Record<PropertyKey, unknown> | null | undefined)?.[key],
    raw,
  );
}
