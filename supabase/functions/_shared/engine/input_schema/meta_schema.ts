import type { Schema } from "@cfworker/json-schema";

const subschema = { $ref: "#" };
const subschemas = { type: "array", minItems: 1, items: subschema };
const namedSubschemas = { type: "object", additionalProperties: subschema };
const text = { type: "string" };
const texts = { type: "array", items: text };
const count = { type: "integer", minimum: 0 };
const number = { type: "number" };
const typeName = {
  enum: ["array", "boolean", "integer", "null", "number", "object", "string"],
};

/** What the keywords of a JSON Schema (2020-12) must look like; unknown keywords are allowed. */
export const META_SCHEMA = {
  type: ["object", "boolean"],
  properties: {
    $id: text,
    $ref: text,
    $anchor: text,
    $comment: text,
    title: text,
    description: text,
    type: { if: { type: "array" }, then: { minItems: 1, items: typeName }, else: typeName },
    enum: { type: "array" },
    $defs: namedSubschemas,
    definitions: namedSubschemas,
    properties: namedSubschemas,
    patternProperties: namedSubschemas,
    dependentSchemas: namedSubschemas,
    dependentRequired: { type: "object", additionalProperties: texts },
    additionalProperties: subschema,
    unevaluatedProperties: subschema,
    propertyNames: subschema,
    items: subschema,
    unevaluatedItems: subschema,
    contains: subschema,
    not: subschema,
    if: subschema,
    then: subschema,
    else: subschema,
    prefixItems: subschemas,
    allOf: subschemas,
    anyOf: subschemas,
    oneOf: subschemas,
    required: texts,
    minProperties: count,
    maxProperties: count,
    minItems: count,
    maxItems: count,
    minContains: count,
    maxContains: count,
    minLength: count,
    maxLength: count,
    uniqueItems: { type: "boolean" },
    minimum: number,
    maximum: number,
    exclusiveMinimum: number,
    exclusiveMaximum: number,
    multipleOf: { type: "number", exclusiveMinimum: 0 },
    pattern: text,
    format: text,
    // The validator does not know these two: to ignore them would let wrong input pass.
    $dynamicRef: false,
    $recursiveRef: false,
  },
} as const as unknown as Schema;
