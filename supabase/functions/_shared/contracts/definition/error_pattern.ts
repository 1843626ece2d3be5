import { z } from "zod";
import { errorCodeSchema } from "../errors.ts";

const PREFIX_PATTERN = /^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*\.\*$/;

/** What `errors`, `retry_on` and `never_retry_on` list: a code, `*` for all, or `gemini.*`. */
export const errorPatternSchema = z.string().max(100).refine(
  (pattern) =>
    pattern === "*" || PREFIX_PATTERN.test(pattern) || errorCodeSchema.safeParse(pattern).success,
  { error: "must be an error code, '*', or a prefix such as 'gemini.*'" },
);

/** Whether an error's code is one that the pattern means. */
export function matchesErrorPattern(pattern: string, code: string): boolean {
  if (pattern === "*") return true;
  return pattern.endsWith(".*") ? code.startsWith(pattern.slice(0, -1)) : pattern === code;
}
