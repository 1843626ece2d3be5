import { z } from "zod";
import { ExecutorError } from "../_shared/executor/error.ts";

/** Who wrote what is wrong: the author of the transformer or step, or the job's data. */
export type Side = "config" | "input";

/** An error that names the key: `'config.method'`, `'input.query.page'`. */
export function problem(
  side: Side,
  path: readonly PropertyKey[],
  what: string,
  cause?: unknown,
): ExecutorError {
  const place = [side, ...path.map(String)].join(".");
  const code = side === "config" ? "config_invalid" : "input_invalid";
  return new ExecutorError(
    code,
    `Cannot make the request as '${place}' ${what}`,
    {},
    { cause },
  );
}

/**
 * Checks a value against a schema.
 *
 * @throws {ExecutorError} `config_invalid` or `input_invalid` naming the first key that is wrong.
 */
export function check<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  side: Side,
  hint = "",
): z.infer<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  if (issue === undefined) throw problem(side, [], "is wrong");
  if (issue.code === "unrecognized_keys") {
    throw problem(
      side,
      [...issue.path, issue.keys[0] ?? ""],
      `is not a known key${hint}`,
    );
  }
  throw problem(side, issue.path, `is wrong: ${issue.message}${hint}`);
}
