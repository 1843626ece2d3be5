import type { z } from "zod";
import type { Place } from "../place.ts";
import type { Report } from "../problem.ts";
import { describeIssue } from "./describe_issue.ts";

/**
 * A part of a definition in the form that its schema gives it; `undefined` when it has none, which
 * is reported.
 * @param place where the part stands in the definition
 */
export function parse<T>(
  schema: z.ZodType<T>,
  raw: unknown,
  place: Place,
  report: Report,
): T | undefined {
  const parsed = schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  parsed.error.issues.flatMap((issue) => describeIssue(issue, raw, place)).forEach(report);
  return undefined;
}
