import assert from "node:assert/strict";
import { contextOf } from "../support.ts";
import { accepted, refused, withKeys } from "./support.ts";

const key = "must be a number, true or false, or a text of 1 to 200 characters";

const REFUSED: [name: string, keys: object, problems: string[]][] = [
  ["a concurrency of none", { concurrency: { max_running: 0 } }, [
    "concurrency.max_running must be >= 1: current value is 0",
  ]],
  ["a concurrency without its number", { concurrency: {} }, [
    "concurrency.max_running is required",
  ]],
  ["a concurrency that is a number", { concurrency: 5 }, [
    "concurrency must be an object: current value is 5",
  ]],
  ["an empty key", { concurrency: { max_running: 1, key: "" } }, [
    `concurrency.key ${key}: current value is ""`,
  ]],
  ["a key that is a list", { concurrency: { max_running: 1, key: ["a"] } }, [
    `concurrency.key ${key}: current value is ["a"]`,
  ]],
  ["a key that cannot be parsed", { concurrency: { max_running: 1, key: "$x" } }, [
    `concurrency.key must be a JSONPath as it begins with '$' (for the text itself write { "$literal": "$x" }): expected '.' or '[' at position 1, found 'x'`,
  ]],
  ["a rate of none", { rate_limit: { max_starts: 0, per_seconds: 1 } }, [
    "rate_limit.max_starts must be >= 1: current value is 0",
  ]],
  ["a rate without a time", { rate_limit: { max_starts: 1 } }, [
    "rate_limit.per_seconds is required",
  ]],
  ["a rate with a key", { rate_limit: { max_starts: 1, per_seconds: 1, key: "a" } }, [
    "rate_limit.key is not a known key",
  ]],
];

for (const [name, keys, problems] of REFUSED) {
  Deno.test(`checkDefinition() refuses ${name}`, () => {
    assert.deepEqual(refused(withKeys(keys)), problems);
  });
}

Deno.test("checkDefinition() has no limits where none are written", () => {
  const definition = accepted(withKeys({}));
  assert.equal(definition.concurrency, null);
  assert.equal(definition.rateLimit, null);
});

Deno.test("checkDefinition() compiles the key of a concurrency, which may be absent", () => {
  const { concurrency } = accepted(
    withKeys({ concurrency: { max_running: 5, key: "$.job_input.customer" } }),
  );
  assert.equal(concurrency?.max_running, 5);
  const context = contextOf({ job_input: { customer: "c1" } });
  assert.equal(concurrency?.key?.evaluate(context), "c1");
  assert.deepEqual(accepted(withKeys({ concurrency: { max_running: 1 } })).concurrency, {
    max_running: 1,
    key: null,
  });
});

Deno.test("checkDefinition() hands over the rate limit as it is written", () => {
  const rate_limit = { max_starts: 60, per_seconds: 60 };
  assert.deepEqual(accepted(withKeys({ rate_limit })).rateLimit, rate_limit);
});
