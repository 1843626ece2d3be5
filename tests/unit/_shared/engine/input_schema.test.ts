import assert from "node:assert/strict";
import fc from "fast-check";
import {
  compileSchema,
  validateInput,
} from "../../../../supabase/functions/_shared/engine/input_schema.ts";
import type { Problem } from "../../../../supabase/functions/_shared/engine/problem.ts";

function schemaProblems(raw: unknown): Problem[] {
  const problems: Problem[] = [];
  compileSchema(raw, "input_schema", (problem) => problems.push(problem));
  return problems;
}

function faults(schema: unknown, input: unknown): string[] {
  const compiled = compileSchema(schema, "input_schema", (problem) => {
    assert.fail(JSON.stringify(problem));
  });
  return validateInput(compiled, input).map(({ path, message }) => `${path} ${message}`);
}

const MISMATCHES: [name: string, schema: unknown, input: unknown, faults: string[]][] = [
  ["true takes anything", true, { a: 1 }, []],
  ["false takes nothing", false, 1, ["input_data is not allowed"]],
  ["type", { type: "object" }, [1], [
    "input_data must be of type object: current type is array",
  ]],
  ["types", { type: ["string", "null"] }, 5, [
    "input_data must be of type string or null: current type is number",
  ]],
  ["integer", { type: "integer" }, 1.5, [
    "input_data must be of type integer: current type is number",
  ]],
  ["required", { required: ["a", "b c"] }, {}, [
    "input_data.a is required",
    'input_data["b c"] is required',
  ]],
  ["required takes own keys only", { required: ["toString"] }, {}, [
    "input_data.toString is required",
  ]],
  [
    "additionalProperties",
    { properties: { a: true }, additionalProperties: false },
    { a: 1, b: 2 },
    [
      "input_data.b is not allowed",
    ],
  ],
  ["unevaluatedProperties", { unevaluatedProperties: false }, { b: 2 }, [
    "input_data.b is not allowed",
  ]],
  [
    "a place deep inside",
    {
      properties: { list: { items: { properties: { "a/b~c": { type: "string" } } } } },
    },
    { list: [{}, { "a/b~c": 1 }] },
    [
      'input_data.list[1]["a/b~c"] must be of type string: current type is number',
    ],
  ],
  ["a key that looks like an index", { properties: { 0: { type: "string" } } }, { 0: 1 }, [
    'input_data["0"] must be of type string: current type is number',
  ]],
  ["enum", { enum: ["a", 1] }, "b", ['input_data must be any of ["a",1]']],
  ["const", { const: { a: 1 } }, 5, ['input_data must be {"a":1}']],
  [
    "anyOf, without the faults of each form",
    {
      anyOf: [{ type: "string" }, { properties: { a: { type: "string" } }, required: ["a"] }],
    },
    { a: 1 },
    ["input_data must fit one of the forms allowed: it fits none"],
  ],
  ["oneOf that fits two", { oneOf: [{ type: "number" }, { type: "integer" }] }, 3, [
    "input_data must fit exactly one of the forms allowed: it fits 2",
  ]],
  ["oneOf that fits none", { oneOf: [{ type: "string" }] }, 3, [
    "input_data must fit exactly one of the forms allowed: it fits 0",
  ]],
  [
    "faults after alternatives",
    {
      properties: { a: { anyOf: [{ type: "string" }] }, anyOf: { type: "string" } },
    },
    { a: 1, anyOf: 2 },
    [
      "input_data.a must fit one of the forms allowed: it fits none",
      "input_data.anyOf must be of type string: current type is number",
    ],
  ],
  ["minLength", { minLength: 3 }, "ab", ["input_data string is too short (2 < 3)"]],
  ["pattern", { pattern: "^a" }, "b", ["input_data string does not match pattern"]],
  ["format", { format: "email" }, "nobody", [
    'input_data string does not match format "email"',
  ]],
  ["$ref", { $ref: "#/$defs/x", $defs: { x: { type: "string" } } }, 1, [
    "input_data must be of type string: current type is number",
  ]],
  [
    "a schema of trees",
    {
      $defs: { node: { properties: { next: { $ref: "#/$defs/node" } }, required: ["v"] } },
      $ref: "#/$defs/node",
    },
    { v: 1, next: { next: { v: 1 } } },
    ["input_data.next.v is required"],
  ],
  ["if, then", { if: { type: "string" }, then: { minLength: 2 } }, "a", [
    "input_data string is too short (1 < 2)",
  ]],
  ["input with a key named __proto__", { type: "object" }, JSON.parse('{"__proto__":1}'), []],
];

for (const [name, schema, input, expected] of MISMATCHES) {
  Deno.test(`validateInput() ${name}`, () => assert.deepEqual(faults(schema, input), expected));
}

Deno.test("validateInput() without a schema takes anything", () => {
  assert.deepEqual(validateInput(undefined, 5), []);
});

Deno.test("validateInput() lists a hundred faults and counts the rest", () => {
  const listed = faults({ items: { type: "string" } }, Array.from({ length: 250 }, () => 1));
  assert.equal(listed.length, 101);
  assert.equal(listed[100], "input_data has 150 more faults");
});

Deno.test("validateInput() says so when the input cannot be checked", () => {
  let deep: unknown = {};
  for (let i = 0; i < 20_000; i++) deep = { a: deep };
  const schema = { $defs: { t: { properties: { a: { $ref: "#/$defs/t" } } } }, $ref: "#/$defs/t" };
  assert.deepEqual(faults(schema, deep), [
    "input_data cannot be checked against the schema: Maximum call stack size exceeded",
  ]);
  assert.deepEqual(faults({ additionalProperties: { type: "null" } }, { "\ud800": 1 }), [
    "input_data cannot be checked against the schema: URI malformed",
  ]);
});

const REFUSED: [name: string, schema: unknown, problems: string[]][] = [
  ["a number", 5, ["input_schema must be of type object or boolean: current type is number"]],
  ["an unknown type", { type: "strin" }, [
    'input_schema.type must be any of ["array","boolean","integer","null","number","object","string"]',
  ]],
  ["an unknown type in a list", { type: ["string", "x"] }, [
    'input_schema.type[1] must be any of ["array","boolean","integer","null","number","object","string"]',
  ]],
  ["required that is no list", { properties: { a: { required: true } } }, [
    "input_schema.properties.a.required must be of type array: current type is boolean",
  ]],
  ["a subschema that is none", { properties: { a: "string" } }, [
    "input_schema.properties.a must be of type object or boolean: current type is string",
  ]],
  ["items as a list, as older drafts have it", { items: [{ type: "string" }] }, [
    "input_schema.items must be of type object or boolean: current type is array",
  ]],
  ["an empty anyOf", { anyOf: [] }, ["input_schema.anyOf array has too few items (0 < 1)"]],
  ["a negative length", { minLength: -1 }, ["input_schema.minLength -1 is less than 0"]],
  ["a dynamic reference", { $dynamicRef: "#x" }, ["input_schema.$dynamicRef is not allowed"]],
  ["a pattern that is none", { pattern: "(", patternProperties: { "[": true } }, [
    'input_schema has a pattern that is no regular expression: "("',
    'input_schema has a pattern that is no regular expression: "["',
  ]],
  ["a reference that leads nowhere", { properties: { a: { $ref: "#/$defs/x" } } }, [
    'input_schema has a $ref that leads nowhere: "#/$defs/x"',
  ]],
  ["a reference to another place on the web", { $ref: "https://example.com/schema.json" }, [
    'input_schema has a $ref that leads nowhere: "https://example.com/schema.json"',
  ]],
  ["a reference to itself", { $ref: "#" }, [
    "input_schema has a $ref that leads back to itself without end",
  ]],
  ["a circle of references", {
    $defs: {
      a: { allOf: [{ $ref: "#/$defs/b" }] },
      b: { dependentSchemas: { x: { $ref: "#/$defs/a" } } },
    },
  }, ["input_schema has a $ref that leads back to itself without end"]],
  ["an $id that is no address", { $id: "http://[" }, [
    "input_schema has an $id or $ref that is no address: Invalid URL: 'http://[' with base 'https://github.com/cfworker'",
  ]],
];

for (const [name, schema, expected] of REFUSED) {
  Deno.test(`compileSchema() refuses ${name}`, () => {
    assert.deepEqual(
      schemaProblems(schema).map(({ path, message }) => `${path} ${message}`),
      expected,
    );
  });
}

Deno.test("compileSchema() refuses a chain of references that is too long to be followed", () => {
  const length = 30_000;
  const $defs = Object.fromEntries(
    Array.from({ length }, (_, i) => [`s${i}`, { $ref: `#/$defs/s${i + 1}` }]),
  );
  assert.deepEqual(schemaProblems({ $defs: { ...$defs, [`s${length}`]: true } }), [{
    path: "input_schema",
    message: "must be nested less deeply, and refer to itself less often",
  }]);
});

Deno.test("compileSchema() leaves the schema as it is", () => {
  const schema = {
    $id: "https://example.com/x",
    properties: { a: { $ref: "#/$defs/b" } },
    $defs: { b: true },
  };
  const before = structuredClone(schema);
  assert.deepEqual(schemaProblems(schema), []);
  assert.deepEqual(Reflect.ownKeys(schema.properties.a), ["$ref"]);
  assert.deepEqual(schema, before);
});

Deno.test("compileSchema() never throws on any JSON", () => {
  const keyword = fc.constantFrom(
    ..."$id $ref $anchor $defs type enum const required properties items anyOf not if pattern x"
      .split(" "),
  );
  const tree = fc.letrec((tie) => ({
    node: fc.oneof(
      fc.jsonValue(),
      fc.constantFrom("#", "#/$defs/x", "string", "object", "("),
      fc.array(tie("node"), { maxLength: 2 }),
      fc.dictionary(keyword, tie("node"), { maxKeys: 4 }),
    ),
  })).node;
  fc.assert(
    fc.property(tree, fc.jsonValue(), (schema, input) => {
      const compiled = compileSchema(schema, "input_schema", () => {});
      assert.ok(Array.isArray(compiled.validate(input, "input_data")));
    }),
    { numRuns: 1000 },
  );
});
