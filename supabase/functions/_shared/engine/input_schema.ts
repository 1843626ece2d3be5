import { type Schema, validate } from "@cfworker/json-schema";
import { describeFaults } from "./input_schema/describe.ts";
import { checkSchema } from "./input_schema/check.ts";
import type { Place } from "./place.ts";
import type { Problem, Report } from "./problem.ts";

const DRAFT = "2020-12";

/** A JSON Schema of the definition, ready to check any number of values. */
export interface CompiledSchema {
  /**
   * Every fault of a value, with its place under the name given; none means that it fits.
   * @param name what the value is called in places: `input_data`
   */
  validate(value: unknown, name: Place): Problem[];
}

/**
 * Compiles a JSON Schema (draft 2020-12).
 * @param place where it stands, for error messages
 * @param report is told of every fault; such a schema must not be used
 */
export function compileSchema(raw: unknown, place: Place, report: Report): CompiledSchema {
  // The validator leaves marks on the schema, which is not ours to change.
  const schema = structuredClone(raw) as Schema | boolean;
  const lookup = tryCheck(schema, place, report);
  return {
    validate(value, name) {
      if (lookup === undefined) return [];
      try {
        const { errors } = validate(value, schema as Schema, DRAFT, lookup, false);
        return describeFaults(errors, value, name);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        return [{ path: name, message: `cannot be checked against the schema: ${reason}` }];
      }
    },
  };
}

function tryCheck(schema: Schema | boolean, place: Place, report: Report) {
  try {
    return checkSchema(schema, place, report);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    report({ path: place, message: "must be nested less deeply, and refer to itself less often" });
    return undefined;
  }
}

/** Where `input_data` and a definition's `input_schema` do not fit, fault by fault. */
export function validateInput(schema: CompiledSchema | undefined, input: unknown): Problem[] {
  return schema?.validate(input, "input_data") ?? [];
}
