import { type CompiledSchema, compileSchema, validateInput } from "../engine/input_schema.ts";
import type { Problem } from "../engine/problem.ts";
import { ApiError, type Fault } from "../http/errors.ts";

/** Most schemas that stay compiled; the oldest goes first. */
const MAX_COMPILED = 100;

/**
 * Checks inputs against schemas that it compiles once each. Schemas are known by their text: a
 * version number would come again for a workflow that was deleted and made anew.
 */
export function createInputCheck(): (schema: unknown, input: unknown) => Fault[] {
  const compiled = new Map<string, CompiledSchema>();
  return (schema, input) => {
    const key = JSON.stringify(schema);
    let known = compiled.get(key);
    if (known === undefined) {
      known = compile(schema);
      const [oldest] = compiled.keys();
      if (compiled.size >= MAX_COMPILED && oldest !== undefined) compiled.delete(oldest);
      compiled.set(key, known);
    }
    return validateInput(known, input);
  };
}

function compile(schema: unknown): CompiledSchema {
  const problems: Problem[] = [];
  const compiled = compileSchema(schema, "input_schema", (problem) => problems.push(problem));
  if (problems.length === 0) return compiled;
  const [first] = problems;
  throw new ApiError(
    "definition_invalid",
    `Cannot start the job as its workflow's '${first?.path}' ${first?.message}`,
    { details: problems },
  );
}
