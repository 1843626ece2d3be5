import assert from "node:assert/strict";
import fc from "fast-check";
import { compiled, contextOf, DOCUMENT, errorOf, evaluated, problemsOf } from "./support.ts";

const input = DOCUMENT.job_input;

const VALUES: [name: string, raw: unknown, expected: unknown][] = [
  ["gives a plain string as it stands", "Hello", "Hello"],
  ["gives an empty string as it stands", "", ""],
  ["gives a number as it stands", 5, 5],
  ["gives null as it stands", null, null],
  ["gives false as it stands", false, false],
  ["lets '$' stand within a text", "5 $.job", "5 $.job"],
  ["lets a closing brace stand alone", "a }} b", "a }} b"],
  ["lets one brace stand alone", "a {b} c", "a {b} c"],
  ["gives the whole document for '$'", "$", DOCUMENT],
  ["gives the value of a path", "$.job_input.amount", 12.5],
  ["gives a found 0", "$.job_input.zero", 0],
  ["gives a found empty text", "$.job_input.empty", ""],
  ["gives a found false", "$.job_input.no", false],
  ["gives a found null", "$.job_input.nothing", null],
  ["gives a found object", "$.job_input.user", input.user],
  ["gives an empty array", "$.job_input.none", []],
  ["gives null for an optional path that finds nothing", "$.nope.deeper?", null],
  ["gives null below a skipped step when optional", "$.skipped.output.name?", null],
  ["gives what an optional path finds", "$.job_input.zero?", 0],
  ["gives an array for a wildcard", "$.job_input.items[*].id", [1, 2, 3]],
  ["gives an array for a wildcard that matches nothing", "$.job_input.none[*]", []],
  ["gives an array for a wildcard below what is missing", "$.nope[*].id", []],
  ["gives an array for an optional wildcard", "$.nope[*].id?", []],
  ["gives an array for a filter that matches one", "$.job_input.items[?(@.id==2)].price", [15]],
  ["walks objects", { a: { b: "$.job_input.zero" }, c: 1 }, { a: { b: 0 }, c: 1 }],
  ["walks arrays", ["$.job_input.zero", ["x", "$.job.id"]], [0, ["x", "j1"]]],
  ["puts a value into a text", "Hi {{job_input.user.name}}!", "Hi Ann!"],
  ["takes a template with '$.'", "Hi {{$.job_input.user.name}}!", "Hi Ann!"],
  ["takes spaces in a template", "{{ job_input.user.name }}!", "Ann!"],
  ["takes brackets in a template", "{{['job_input']['user']['odd key']}}!", "1!"],
  ["takes an escaped quote in quotes", String.raw`{{$['\'}}']?}}!`, "!"],
  ["takes '}}' in quotes", "{{$['}}']?}}!", "!"],
  ["keeps the type of a sole template", "{{job_input.items}}", input.items],
  ["keeps the number of a sole template", "{{job_input.zero}}", 0],
  ["gives null for a sole optional template", "{{job_input.nope?}}", null],
  ["prints objects in a text as JSON", "tags={{job_input.user.tags}}", 'tags=["a","b"]'],
  ["prints null in a text as JSON", "{{job_input.nothing}}.", "null."],
  ["prints nothing for an optional null", "<{{skipped.output?}}>", "<>"],
  ["prints nothing for an optional that is missing", "<{{job_input.nope?}}>", "<>"],
  ["prints false and 0", "{{job_input.no}}{{job_input.zero}}", "false0"],
  ["prints the array of a wildcard", "ids={{job_input.items[*].id}}", "ids=[1,2,3]"],
  ["does not read what it has put in", "{{job_input.braces}}.", `${input.braces}.`],
  ["does not read what a path has found", "$.job_input.braces", input.braces],
  ["gives a literal as it stands", { $literal: "$.job_input" }, "$.job_input"],
  ["gives a literal that holds braces", { $literal: "{{x}}" }, "{{x}}"],
  ["gives a literal within a literal", { $literal: { $expr: "1", $literal: 2 } }, {
    $expr: "1",
    $literal: 2,
  }],
  ["gives a literal null", { a: { $literal: null } }, { a: null }],
  ["evaluates an expression", { $expr: "$sum(job_input.items.price)" }, 45],
  ["evaluates an expression in an object", { a: [{ $expr: "job.id" }, 1] }, { a: ["j1", 1] }],
  ["leaves other keys that begin with '$'", { $ref: "#/x" }, { $ref: "#/x" }],
];

for (const [behaviour, raw, expected] of VALUES) {
  Deno.test(`compileValue() ${behaviour}`, async () => {
    assert.deepEqual(await evaluated(raw), expected);
  });
}

const literal = (text: string) => `for the text itself write { "$literal": ${text} }`;

const REFUSED: [raw: unknown, path: string, message: string][] = [
  [
    "$5.00",
    "",
    `must be a JSONPath as it begins with '$' (${
      literal('"$5.00"')
    }): expected '.' or '[' at position 1, found '5'`,
  ],
  [
    "{{a",
    "",
    `must be a template (${literal('"{{a"')}): '{{' at position 0 is never closed with '}}'`,
  ],
  ["x {{}}", "", `must be a template (${literal('"x {{}}"')}): '{{}}' holds no path`],
  [
    "x {{ a..}}",
    "",
    `must be a template (${
      literal('"x {{ a..}}"')
    }): '{{a..}}' is not a path: expected a name, '*' or '[' at position 5, found the end`,
  ],
  [{ $expr: 5 }, ".$expr", "must be a JSONata expression: current value is 5"],
  [{ $expr: "a b" }, ".$expr", 'must be a JSONata expression: Syntax error: "b" at position 3'],
  [
    { $expr: "1", x: 1 },
    "",
    "must have no key beside '$expr': current keys are $expr, x",
  ],
  [
    { a: { $literal: 1, y: 1 } },
    ".a",
    "must have no key beside '$literal': current keys are $literal, y",
  ],
];

for (const [raw, path, message] of REFUSED) {
  Deno.test(`compileValue() refuses ${JSON.stringify(raw)}`, () => {
    assert.deepEqual(problemsOf(raw), [{ path: `steps.s.input_map${path}`, message }]);
  });
}

Deno.test("compileValue() reports every part that cannot be parsed, with its place", () => {
  const problems = problemsOf({ a: "$x", "b c": [1, "{{"], d: { $expr: "(" } });
  assert.deepEqual(problems.map(({ path }) => path), [
    "steps.s.input_map.a",
    'steps.s.input_map["b c"][1]',
    "steps.s.input_map.d.$expr",
  ]);
});

Deno.test("compileValue() names place and path when a path finds nothing", async () => {
  const error = await errorOf(() => evaluated({ amount: "$.job_input.order.amount" }));
  assert.deepEqual(error.info, {
    code: "mapping_failed",
    message:
      "Cannot map steps.s.input_map.amount as $.job_input.order.amount finds nothing: $.job_input has no 'order'",
    retryable: false,
    details: { place: "steps.s.input_map.amount", path: "$.job_input.order.amount" },
  });
});

Deno.test("compileValue() names place and path when a template finds nothing", async () => {
  const error = await errorOf(() => evaluated(["a", "Hi {{ job_input.user.nick }}"]));
  assert.equal(
    error.message,
    "Cannot map steps.s.input_map[1] as $.job_input.user.nick finds nothing: $.job_input.user has no 'nick'",
  );
});

Deno.test("compileValue() stops a path that looks at too many places", async () => {
  const wide = { a: Array.from({ length: 1200 }, () => Array.from({ length: 900 }, () => 0)) };
  const error = await errorOf(() => evaluated("$..*", wide));
  assert.equal(
    error.message,
    "Cannot map steps.s.input_map as $..* looks at more than 1000000 places",
  );
});

Deno.test("compileValue() says so when a value is too large for a text", async () => {
  const huge = {
    toJSON() {
      throw new RangeError("Invalid string length");
    },
  };
  const error = await errorOf(() => evaluated("a={{a}}", { a: huge }));
  assert.equal(error.message, "Cannot map steps.s.input_map as $.a finds more than can be held");
});

Deno.test("compileValue() lets any other error of a path through", () => {
  const hostile = new Proxy({}, {
    ownKeys() {
      throw new TypeError("no keys");
    },
  });
  assert.throws(
    () => compiled("$.a[*]").evaluate(contextOf({ a: hostile })),
    /^TypeError: no keys$/,
  );
});

Deno.test("compileValue() is async only where the value holds an expression", () => {
  assert.equal(compiled({ a: ["$.job"] }).async, false);
  assert.equal(compiled({ a: [{ $expr: "1" }] }).async, true);
});

Deno.test("compileValue() gives each job its own copy of a constant", () => {
  const value = compiled({ a: [1, { $literal: { b: "x" } }] });
  assert.equal(value.constant, true);
  const first = value.evaluate(contextOf({})) as { a: unknown[] };
  first.a.push(2);
  Object.assign(first.a[1] as object, { b: "y" });
  assert.deepEqual(value.evaluate(contextOf({})), { a: [1, { b: "x" }] });
});

Deno.test("compileValue() keeps a key named __proto__ as a key", async () => {
  const raw = JSON.parse('{"__proto__":{"polluted":"$.job.id"},"e":1}');
  const value = await evaluated(raw);
  assert.equal(JSON.stringify(value), '{"__proto__":{"polluted":"j1"},"e":1}');
  assert.equal(Object.getPrototypeOf(value), Object.prototype);
  const later = await evaluated({ ...raw, x: { $expr: "1" } });
  assert.equal(Object.hasOwn(later as object, "__proto__"), true);
  assert.equal(({} as Record<string, unknown>)["polluted"], undefined);
});

Deno.test("compileValue() round trips any JSON in a literal", async () => {
  await fc.assert(fc.asyncProperty(fc.jsonValue(), async (json) => {
    assert.deepEqual(await evaluated({ x: { $literal: json } }), { x: json });
  }));
});

Deno.test("compileValue() gives any JSON without '$' and '{{' as it stands", async () => {
  const plain = fc.jsonValue().filter((json) => !/\$|\{\{/.test(JSON.stringify(json)));
  await fc.assert(fc.asyncProperty(plain, async (json) => {
    assert.deepEqual(await evaluated(json), json);
  }));
});

Deno.test("compileValue() never reads what a template has put in", async () => {
  const hostile = fc.string().map((text) => `${text}{{job.id}}$.job.id${text}`);
  await fc.assert(fc.asyncProperty(hostile, hostile, async (a, b) => {
    assert.equal(await evaluated("{{a}}-{{b}}", { a, b, job: { id: "j" } }), `${a}-${b}`);
  }));
});

Deno.test("compileValue() never throws on any JSON, and says where the problem is", () => {
  const leaf = fc.oneof(
    fc.string(),
    fc.string().map((text) => `$${text}`),
    fc.string().map((text) => `{{${text}`),
    fc.string().map((text) => `{{${text}}}`),
    fc.string().map((text) => `$.a[${text}]`),
    fc.string().map((text) => `$[?(${text})]`),
  );
  const tree = fc.letrec((tie) => ({
    node: fc.oneof(
      leaf,
      fc.array(tie("node"), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom("a", "$expr", "$literal", "__proto__"), tie("node")),
    ),
  })).node;
  fc.assert(
    fc.property(tree, (raw) => {
      for (const { path } of problemsOf(raw)) assert.ok(path.startsWith("steps.s.input_map"));
    }),
    { numRuns: 500 },
  );
});
