import assert from "node:assert/strict";
import fc from "fast-check";
import { compileExpression } from "../../../../../supabase/functions/_shared/engine/expressions.ts";

function evaluate(text: string, document: Record<string, unknown>): Promise<unknown> {
  const expression = compileExpression(text, "x", ({ message }) => assert.fail(message));
  return expression.evaluate({ document, now: new Date(0), seed: "s" });
}

Deno.test("$sort() orders numbers and texts as JavaScript compares them", async () => {
  await fc.assert(fc.asyncProperty(
    fc.oneof(fc.array(fc.integer(), { minLength: 2 }), fc.array(fc.string(), { minLength: 2 })),
    async (items) => {
      const expected = (items as unknown[]).toSorted((a, b) =>
        (a as number) < (b as number) ? -1 : (a as number) > (b as number) ? 1 : 0
      );
      assert.deepEqual(await evaluate("$sort(items)", { items }), expected);
    },
  ));
});

Deno.test("$sort() is stable under a comparator of the expression's own", async () => {
  const items = Array.from({ length: 50 }, (_, n) => ({ n, key: n % 3 }));
  assert.deepEqual(
    await evaluate("$sort(items, function($a, $b) { $a.key > $b.key }).n", { items }),
    [0, 1, 2].flatMap((key) => items.filter((item) => item.key === key).map((item) => item.n)),
  );
});

Deno.test("$sort() takes one item, none, and what is missing", async () => {
  assert.deepEqual(await evaluate("$sort([5])", {}), [5]);
  assert.deepEqual(await evaluate("$sort([])", {}), []);
  assert.equal(await evaluate("$exists($sort(missing))", {}), false);
});

Deno.test("$sort() refuses a mixed array without a comparator", async () => {
  await assert.rejects(evaluate("$sort([1, 'a'])", {}), /\$sort needs numbers only/);
});

Deno.test("$sort() of 200,000 texts stays within its memory", async () => {
  const items = Array.from({ length: 200_000 }, (_, n) => `text ${(n * 7919) % 200_000}`);
  const sorted = await evaluate("$sort(items)[0]", { items });
  assert.equal(sorted, "text 0");
});
