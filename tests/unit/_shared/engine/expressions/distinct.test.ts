import assert from "node:assert/strict";
import fc from "fast-check";
import jsonata from "jsonata";
import { compileExpression } from "../../../../../supabase/functions/_shared/engine/expressions.ts";
import { contextOf } from "../support.ts";

function evaluate(text: string, document: Record<string, unknown>): Promise<unknown> {
  return compileExpression(text, "x", ({ message }) => assert.fail(message))
    .evaluate(contextOf(document));
}

Deno.test("$distinct() gives what JSONata's own gives", async () => {
  const item = fc.oneof(
    fc.constantFrom(1, "1", true, null, "true", 0, ""),
    fc.record({ a: fc.nat(2), b: fc.constantFrom("x", "y") }),
    fc.array(fc.nat(1), { maxLength: 2 }),
  );
  await fc.assert(fc.asyncProperty(fc.array(item, { minLength: 1 }), async (items) => {
    const text = "[$distinct(items)]";
    const expected = await jsonata(text).evaluate({ items });
    assert.deepEqual(await evaluate(text, { items }), JSON.parse(JSON.stringify(expected)));
  }));
});

Deno.test("$distinct() does not look at the order of keys", async () => {
  const items = [{ a: 1, b: 2 }, { b: 2, a: 1 }, { a: 2, b: 1 }];
  assert.equal(await evaluate("$count($distinct(items))", { items }), 2);
});

Deno.test("$distinct() takes what is no array, and what is missing", async () => {
  assert.equal(await evaluate("$distinct('a')", {}), "a");
  assert.equal(await evaluate("$exists($distinct(missing))", {}), false);
});

Deno.test("$distinct() of 500,000 numbers ends", async () => {
  assert.equal(await evaluate("$count($distinct([1..500000]))", {}), 500_000);
});
