import { type CompiledSchema, compileSchema } from "../engine/input_schema.ts";
import type { Problem } from "../engine/problem.ts";
import { ApiError, type Fault } from "../http/errors.ts";

/** Most schemas that stay compiled; the oldest goes first. */
const MAX_COMPILED = 100;

/** What is checked; faults are told under this name. */
export type InputName = "input_data" | "form";

/** Every fault of an input under a JSON Schema. */
export type InputCheck = (schema: unknown, input: unknown, name: InputName) => Fault[];

/**
 * Checks inputs against schemas that it compiles once each. Schemas are known by their text: a
 * version number would come again for a workflow that was deleted and made anew.
 */
export function createInputCheck(): InputCheck {
  const compiled = new Map<string, CompiledSchema>();
  return (schema, input, name) => {
    const key = JSON.stringify(schema);
    let known = compiled.get(key);
    if (known === undefined) {
      known = compile(schema, name);
      const [oldest] = compiled.keys();
      if (compiled.size >= MAX_COMPILED && oldest !== undefined) compiled.delete(oldest);
      compiled.set(key, known);
    }
    return known.validate(input, name);
  };
}

/** Where the schema of an input stands in a definition. */
const SCHEMA_OF: Record<InputName, string> = { input_data: "input_schema", form: "form" };

function compile(schema: unknown, name: InputName): CompiledSchema {
  const problems: Problem[] = [];
  const compiled = compileSchema(schema, SCHEMA_OF[name], (problem) => problems.push(problem));
  if (problems.length === 0) return compiled;
  const [first] = problems;
  throw new ApiError(
    "definition_invalid",
    `Cannot check '${name}' as the workflow's '${first?.path}' ${first?.message}`,
    { details: problems },
  );
}
