import assert from "node:assert/strict";
import { ExecutorError } from "../../../../supabase/functions/_shared/executor/error.ts";
import { serializeOutput } from "../../../../supabase/functions/_shared/executor/output.ts";
import { reportOf } from "../../../../supabase/functions/_shared/executor/report.ts";

const LIMIT = 10_000;

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level++) value = { a: [value] };
  return value;
}

function circle() {
  const value: Record<string, unknown> = {};
  value["self"] = value;
  return value;
}

Deno.test("serializeOutput() passes JSON values on unchanged", () => {
  const values = [null, 0, -0.5, 1e300, "", "null", "\\u0000", "\\ud800", "😀é\n", [], [null], {
    a: { b: [1, "2", null, true] },
  }, nested(200)];
  for (const value of values) {
    assert.deepEqual(JSON.parse(serializeOutput(value, LIMIT)), value);
  }
  assert.equal(serializeOutput(undefined, LIMIT), "null");
  assert.equal(serializeOutput(new Date(0), LIMIT), `"1970-01-01T00:00:00.000Z"`);
});

Deno.test("serializeOutput() names the place of what cannot be stored", () => {
  const cases: [output: unknown, words: RegExp][] = [
    ["\0", /as output holds \\u0000/],
    [{ a: [{ "b c": "x\0y" }] }, /output\.a\[0\]\["b c"\] holds \\u0000/],
    [{ "ke\0y": 1 }, /output\["ke\\u0000y"\] holds \\u0000/],
    [{ name: "\ud83d" }, /output\.name holds half a surrogate pair/],
    [["\udc00"], /output\[0\] holds half a surrogate pair/],
    [{ rate: NaN }, /output\.rate is NaN/],
    [[1, Infinity], /output\[1\] is Infinity/],
    [nested(400), /nested deeper than 500 levels/],
    [{ n: 1n }, /BigInt/],
    [circle(), /circle/],
    [() => 1, /it is a function/],
    [Symbol("s"), /it is a symbol/],
    [{ at: { toJSON: () => "\0" } }, /output\.at holds \\u0000/],
  ];
  for (const [output, words] of cases) {
    assert.throws(() => serializeOutput(output, LIMIT), (error: unknown) => {
      assert.ok(error instanceof ExecutorError);
      assert.deepEqual([error.code, error.more.retryable], ["invalid_result", false]);
      assert.match(error.message, words);
      assert.ok(error.message.length < 500);
      return true;
    });
  }
});

Deno.test("serializeOutput() measures UTF-8 bytes", () => {
  assert.ok(serializeOutput("é".repeat(4), 10));
  for (const output of ["é".repeat(5), "x".repeat(9), "😀".repeat(3)]) {
    assert.throws(() => serializeOutput(output, 10), (error: unknown) => {
      assert.ok(error instanceof ExecutorError);
      assert.equal(error.code, "payload_too_large");
      return true;
    }, output);
  }
});

Deno.test("reportOf() tells what can be stored of an executor's error", () => {
  const report = reportOf(
    new ExecutorError("http_5xx", `a\0b\ud800${"x".repeat(5000)}`, {
      retry_after_seconds: 1e12,
      details: { excerpt: "nul \0 here" },
    }),
  );
  assert.equal(report.code, "http_5xx");
  assert.match(report.message, /^a\ufffdb\ufffdx+…$/);
  assert.ok(report.message.length < 2_100);
  assert.equal(report.retry_after_seconds, 86_400 * 30);
  assert.match(JSON.stringify(report.details), /omitted/);
});

Deno.test("reportOf() drops a wait that is no number and details that are too much", () => {
  const report = reportOf(
    new ExecutorError("internal", "m", { retry_after_seconds: NaN, details: "x".repeat(100_000) }),
  );
  assert.equal("retry_after_seconds" in report, false);
  assert.match(JSON.stringify(report.details), /omitted/);
  // deno-lint-ignore no-explicit-any -- a code that the types refuse, as plain JavaScript may throw
  assert.equal(reportOf(new ExecutorError("Nonsense" as any, "m")).code, "internal");
});
