import assert from "node:assert/strict";
import fc from "fast-check";
import { compileExpression } from "../../../../supabase/functions/_shared/engine/expressions.ts";
import type { Problem } from "../../../../supabase/functions/_shared/engine/problem.ts";
import { contextOf, DOCUMENT, errorOf, expression } from "./support.ts";

const context = contextOf(DOCUMENT);
const evaluate = (text: string) => expression(text).evaluate(context);

const RESULTS: [text: string, expected: unknown][] = [
  ["job_input.amount * 2", 25],
  ["job_input.items.price", [5, 15, 25]],
  ["job_input.items[price > 10].id", [2, 3]],
  ["job_input.items[price > 20].id", 3],
  ["[job_input.items[price > 20].id]", [3]],
  ["$$.job.id", "j1"],
  ["job_input.nope ?? null", null],
  ["job_input.nothing", null],
  ["job_input.none", []],
  ["job_input.amount[]", [12.5]],
  ["job_input.user.tags[]", ["a", "b"]],
  ["job_input.items[price > 20].id[]", [3]],
  ["job_input.no", false],
  ["job_input.user", DOCUMENT.job_input.user],
  ["$map([1, 2], function($v) { $v * 2 })", [2, 4]],
  ["$merge([{'a': 1}, {'b': [2]}])", { a: 1, b: [2] }],
  ["job_input.constructor ?? 'none'", "none"],
  ["(job_input.__proto__).polluted ?? 'none'", "none"],
  ["( $o := { 'f': function($x) { $x + 1 } }; $o.f(1) )", 2],
  ["( $f := $uppercase ~> $trim; $f(' a ') )", "A"],
  ["( $f := $substring(?, 1, 2); $f('abcd') )", "bc"],
  ["$now()", "2030-01-02T03:04:05.678Z"],
  ["$now('[Y0001]-[M01]')", "2030-01"],
  ["( $fromMillis := 5; $now() )", "2030-01-02T03:04:05.678Z"],
  ["$millis()", Date.parse("2030-01-02T03:04:05.678Z")],
  [
    "$fromMillis($toMillis('10:30', '[H]:[m]'))",
    "2030-01-02T10:30:00.000Z",
  ],
  ["$shuffle([1..3]) ~> $sort()", [1, 2, 3]],
  ["$shuffle(job_input.nope) ?? 'none'", "none"],
  ["$pad('a', 3)", "a  "],
  ["$pad('a', -4, '#-')", "#-#a"],
  ["$pad('abc', 2)", "abc"],
  ["$pad(job_input.nope, 2) ?? 'none'", "none"],
  ["$pad('😀', 3, '日')", "😀日日"],
  ["{'__proto__': 1}", JSON.parse('{"__proto__":1}')],
];

for (const [text, expected] of RESULTS) {
  Deno.test(`evaluate() of ${text}`, async () => {
    assert.deepEqual(JSON.stringify(await evaluate(text)), JSON.stringify(expected));
  });
}

const FAILURES: [text: string, reason: string][] = [
  ["job_input.nope", "it finds nothing (to allow that, end it with ?? null)"],
  ["job_input.items[price > 100]", "it finds nothing (to allow that, end it with ?? null)"],
  [
    "job_input.amount + 'a'",
    'The right side of the "+" operator must evaluate to a number at position 18',
  ],
  ["uppercase('a')", "Attempted to invoke a non-function. Did you mean $uppercase? at position 10"],
  ["function($x) { $x }", "its result is a function"],
  ["{'f': $sum}", "its result is a function"],
  ["{'f': function($x) { $x }}", "its result is a function"],
  ["/a/", "its result is a function"],
  ["1 / 0", "its result is a number out of range: Infinity"],
  ["$error('no luck')", "no luck at position 7"],
  ["$assert(false, 'Not so.')", "Not so at position 8"],
  ["job_input.user()", "it calls something that is not a function"],
  ["(job_input.items)()", "it calls something that is not a function"],
  ["job_input.none()", "it calls something that is not a function"],
  ["($x := job_input.user; $x(1))", "it calls something that is not a function"],
  ["job_input.nope()", "Attempted to invoke a non-function at position 15"],
  ["job_input.amount()", "Attempted to invoke a non-function at position 17"],
  [
    "($f := function($n) { $f($n + 1) }; $f(0))",
    "it takes more than 250000 steps at position 39",
  ],
  ["[1..10000000]", "The maximum sequence length of 10000000 was exceeded at position 4"],
  ["$pad('x', 1000000000)", "it makes a text of more than 10000000 characters at position 5"],
  [
    "($g := function($s, $n) { $n = 0 ? $s : $g($s & $s, $n - 1) }; $length($g('aaaaaaaaaa', 40)))",
    "it makes a text of more than 10000000 characters at position 74",
  ],
  [
    "($g := function($s, $n) { $n = 0 ? $s : $g([$s, $s], $n - 1) }; $count($g([1..1000], 40)))",
    "The maximum sequence length of 1024000 was exceeded at position 74",
  ],
  [
    "($g := function($s, $n) { $n = 0 ? $s : $g({'a': $s, 'b': $s}, $n - 1) }; $g(1, 30))",
    "its result holds more than 1000000 values",
  ],
  [
    "($g := function($s, $n) { $n = 0 ? $s : $g($s & $s, $n - 1) }; $x := $g('aaaaaaaa', 20); [$x, $x])",
    "its result holds more than 10000000 characters",
  ],
];

for (const [text, reason] of FAILURES) {
  Deno.test(`evaluate() fails on ${text}`, async () => {
    const error = await errorOf(() => evaluate(text));
    assert.equal(error.message, `Cannot evaluate steps.s.when: ${reason}`);
    assert.equal(error.info.code, "expression_failed");
    assert.equal(error.info.retryable, false);
  });
}

Deno.test("evaluate() puts place, expression and JSONata's code into the details", async () => {
  const error = await errorOf(() => evaluate("1 + 'a'"));
  assert.deepEqual(error.info.details, {
    place: "steps.s.when",
    expression: "1 + 'a'",
    code: "T2002",
  });
});

const TRUTH: [text: string, expected: boolean][] = [
  ["true", true],
  ["false", false],
  ["null", false],
  ["job_input.nope", false],
  ["job_input.nope = 1", false],
  ["0", false],
  ["0.1", true],
  ["''", false],
  ["'false'", true],
  ["[]", false],
  ["[0]", false],
  ["[0, '']", false],
  ["[0, 1]", true],
  ["{}", false],
  ["{'a': 0}", true],
  ["$sum", true],
  ["function($x) { $x }", true],
  ["/a/", false],
  ["1 / 0", false],
  ["job_input.items[price > 100]", false],
  ["job_input.amount > 10 and job_input.user.name = 'Ann'", true],
];

for (const [text, expected] of TRUTH) {
  Deno.test(`test() of ${text} is ${expected}`, async () => {
    assert.equal(await expression(text).test(context), expected);
  });
}

Deno.test("test() fails where the expression does", async () => {
  const error = await errorOf(() => expression("$error('x')").test(context));
  assert.equal(error.message, "Cannot evaluate steps.s.when: x at position 7");
});

const REFUSED: [text: string, message: string][] = [
  ["a b", 'must be a JSONata expression: Syntax error: "b" at position 3'],
  ["", "must be a JSONata expression: Unexpected end of expression at position 0"],
  ["(", 'must be a JSONata expression: Expected ")" before end of expression at position 1'],
  [
    "/a{2,1}/",
    "must be a JSONata expression: Invalid regular expression: /a{2,1}/g: numbers out of order in {} quantifier",
  ],
  ["/(/", "must be a JSONata expression: No terminating / in regular expression at position 3"],
  [
    "$eval('1') + $eval('2')",
    "must not use $eval: an expression is parsed when it is registered, not when it runs",
  ],
  [
    "(".repeat(50_000),
    "must be a JSONata expression: the expression is nested too deeply or grows too large",
  ],
];

for (const [text, message] of REFUSED) {
  Deno.test(`compileExpression() refuses ${text.slice(0, 30)}`, () => {
    const problems: Problem[] = [];
    compileExpression(text, "steps.s.when", (problem) => problems.push(problem));
    assert.deepEqual(problems, [{ path: "steps.s.when", message }]);
  });
}

Deno.test("evaluate() draws the same numbers from the same seed, others from another", async () => {
  const compiled = expression("[$random(), $random(), $shuffle([1..20])]");
  const first = await compiled.evaluate(context);
  assert.deepEqual(await compiled.evaluate(context), first);
  assert.notDeepEqual(await compiled.evaluate({ ...context, seed: "other" }), first);
});

Deno.test("evaluate() keeps evaluations of one expression that run side by side apart", async () => {
  const compiled = expression("$sum($map([1..50], function($v) { $v * n })) & ' ' & $now()");
  const results = await Promise.all(
    Array.from(
      { length: 20 },
      (_, n) => compiled.evaluate({ document: { n }, now: new Date(n), seed: String(n) }),
    ),
  );
  assert.deepEqual(results, results.map((_, n) => `${1275 * n} ${new Date(n).toISOString()}`));
});

const MUTATING = [
  "job_input.items ~> |$|{'price': 0}|",
  "$append(job_input.none, 1)",
  "$append(job_input.nope, job_input.items)[0]",
  "$reverse(job_input.items)",
  "$sort(job_input.items, function($a, $b) { $a.price < $b.price })",
  "job_input.items^(>price)",
  "$shuffle(job_input.items)",
  "[job_input.user.tags, 1]",
  "job_input.user.tags[]",
  "job_input.none[]",
  "job_input.user.(tags[])",
  "$count(job_input.user.tags[]) & $join(job_input.user.tags[], '')",
  "job_input.items{$string(id): price}",
  "$merge([job_input.user, {'name': 'Bob'}])",
  "$spread(job_input.user)",
  "job_input.user()",
  "job_input.user.tags()",
  "(job_input.none)()",
  "job_input.items.(price)()",
  "$distinct(job_input.user.tags)",
  "**.id",
  "job_input.*",
];

Deno.test("evaluate() leaves the document as it is", async () => {
  for (const text of MUTATING) {
    const document = structuredClone(DOCUMENT);
    try {
      await expression(text).evaluate(contextOf(document));
    } catch {
      // What counts here is what an evaluation leaves behind, however it ends.
    }
    assert.deepEqual(document, DOCUMENT, text);
    assert.deepEqual(Object.keys(document.job_input.none), [], text);
    assert.deepEqual(Object.keys(document.job_input.user.tags), ["0", "1"], text);
  }
});

Deno.test("evaluate() gives a copy that shares nothing with the document", async () => {
  const result = await evaluate("job_input.user") as { tags: string[] };
  result.tags.push("c");
  assert.deepEqual(DOCUMENT.job_input.user.tags, ["a", "b"]);
});

Deno.test("evaluate() takes data that looks like JSONata's own functions for data", async () => {
  const document = { x: { _jsonata_lambda: true, body: 1 }, y: { _jsonata_function: true } };
  assert.deepEqual(await expression("x").evaluate(contextOf(document)), document.x);
  assert.deepEqual(await expression("y").evaluate(contextOf(document)), document.y);
});

Deno.test("evaluate() never throws anything but an EngineError, and gives plain JSON", async () => {
  const text = fc.array(
    fc.constantFrom(
      ..."$ . [ ] ( ) { } 1 'a' + - * / % = != < > & and or in ? : := ~> ^ @ # | , ; x items $sum function($x) ** null"
        .split(" "),
    ),
    { maxLength: 12 },
  ).map((tokens) => tokens.join(" "));
  await fc.assert(
    fc.asyncProperty(text, async (source) => {
      const problems: Problem[] = [];
      const compiled = compileExpression(source, "x", (problem) => problems.push(problem));
      if (problems.length > 0) return;
      try {
        const result = await compiled.evaluate(contextOf({ x: 1, items: [{ x: 2 }, { x: [3] }] }));
        assert.equal(JSON.stringify(structuredClone(result)), JSON.stringify(result));
      } catch (error) {
        assert.equal((error as Error).name, "EngineError", source);
      }
    }),
    { numRuns: 3000 },
  );
});
