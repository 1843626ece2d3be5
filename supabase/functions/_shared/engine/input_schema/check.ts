import { dereference, type Schema, validate } from "@cfworker/json-schema";
import { isRecord } from "../json.ts";
import type { Place } from "../place.ts";
import type { Report } from "../problem.ts";
import { describeFaults } from "./describe.ts";
import { META_SCHEMA } from "./meta_schema.ts";

/** The subschemas of a schema, by address, as the validator looks them up. */
export type SchemaLookup = Record<string, Schema | boolean>;

const metaLookup = dereference(META_SCHEMA);

/** Keywords whose subschemas look at the very value that the schema itself looks at. */
const IN_PLACE = ["not", "if", "then", "else", "allOf", "anyOf", "oneOf", "dependentSchemas"];

/**
 * Checks a schema as far as that is possible without a value: the form of each keyword, that
 * references lead somewhere and not in circles, and that patterns are regular expressions.
 * @returns what a validation needs, or `undefined` when something was reported
 */
export function checkSchema(
  schema: Schema | boolean,
  place: Place,
  report: Report,
): SchemaLookup | undefined {
  const faults = describeFaults(
    validate(schema, META_SCHEMA, "2020-12", metaLookup, false).errors,
    schema,
    place,
  );
  faults.forEach(report);
  if (faults.length > 0) return undefined;
  let lookup: SchemaLookup;
  try {
    lookup = dereference(schema as Schema);
  } catch (error) {
    report({ path: place, message: `has an $id or $ref that is no address: ${messageOf(error)}` });
    return undefined;
  }
  const messages = [
    ...patternFaults(lookup),
    ...referenceFaults(lookup),
    ...(isCircular(lookup) ? ["has a $ref that leads back to itself without end"] : []),
  ];
  messages.forEach((message) => report({ path: place, message }));
  return messages.length === 0 ? lookup : undefined;
}

function patternFaults(lookup: SchemaLookup): string[] {
  const patterns = subschemas(lookup).flatMap((schema) => [
    ...(schema.pattern === undefined ? [] : [schema.pattern]),
    ...Object.keys(schema.patternProperties ?? {}),
  ]);
  return [...new Set(patterns)].flatMap((pattern) => {
    try {
      new RegExp(pattern, "u");
      return [];
    } catch {
      return [`has a pattern that is no regular expression: ${JSON.stringify(pattern)}`];
    }
  });
}

function referenceFaults(lookup: SchemaLookup): string[] {
  return subschemas(lookup)
    .filter((schema) => schema.$ref !== undefined && target(schema, lookup) === undefined)
    .map((schema) => `has a $ref that leads nowhere: ${JSON.stringify(schema.$ref)}`);
}

/** Whether to look at some value would mean to look at it again, and again. */
function isCircular(lookup: SchemaLookup): boolean {
  const done = new Set<unknown>();
  const open = new Set<unknown>();
  const visit = (schema: unknown): boolean => {
    if (!isRecord(schema) || done.has(schema)) return false;
    if (open.has(schema)) return true;
    open.add(schema);
    const circular = [target(schema, lookup), ...inPlace(schema)].some(visit);
    open.delete(schema);
    done.add(schema);
    return circular;
  };
  return subschemas(lookup).some(visit);
}

function inPlace(schema: Readonly<Record<string, unknown>>): unknown[] {
  return IN_PLACE.flatMap((keyword) => {
    const value = schema[keyword];
    if (Array.isArray(value)) return value;
    return keyword === "dependentSchemas" && isRecord(value) ? Object.values(value) : [value];
  });
}

function target(schema: Schema, lookup: SchemaLookup): Schema | boolean | undefined {
  // The address that the validator has worked out and left on the schema.
  const address: unknown = schema["__absolute_ref__"];
  return typeof address === "string" ? lookup[address] : undefined;
}

function subschemas(lookup: SchemaLookup): Schema[] {
  return Object.values(lookup).filter((schema) => typeof schema === "object");
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
