import type { z } from "zod";
import { type Fault, invalidRequest } from "./errors.ts";
import { formatPath } from "./path.ts";

/**
 * The value as the schema says it is.
 *
 * @throws {ApiError} 400 that lists every fault with its place.
 */
export function validate<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
): z.infer<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw invalidRequest(result.error.issues.flatMap(toFaults));
}

function toFaults(issue: z.core.$ZodIssue): Fault[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      path: formatPath([...issue.path, key]),
      message: "is not known",
    }));
  }
  return [{ path: formatPath(issue.path), message: describe(issue) }];
}

/** Says what must be, never what was given: that may be long, or nobody else's business. */
function describe(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      // zod's own input is dropped from issues; a missing key is told by its message alone.
      return issue.message.endsWith("received undefined")
        ? "is missing"
        : `must be ${article(issue.expected)}`;
    case "too_small":
      return `must be >= ${issue.minimum}${unit(issue.origin)}`;
    case "too_big":
      return `must be <= ${issue.maximum}${unit(issue.origin)}`;
    case "invalid_value":
      return `must be one of ${issue.values.map(String).join(", ")}`;
    case "invalid_format":
      return issue.format === "datetime"
        ? "must be a time with its offset, such as 2030-01-31T12:00:00Z"
        : issue.message;
    default:
      return issue.message;
  }
}

function article(expected: string): string {
  const noun = expected === "int" ? "integer" : expected;
  return /^[aeio]/.test(noun) ? `an ${noun}` : `a ${noun}`;
}

function unit(origin: string): string {
  return origin === "string" ? " characters" : "";
}
