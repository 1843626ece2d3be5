import assert from "node:assert/strict";
import { compileExpression } from "../../../../../supabase/functions/_shared/engine/expressions.ts";
import { contextOf } from "../support.ts";

function evaluate(text: string, document: Record<string, unknown> = {}): Promise<unknown> {
  return compileExpression(text, "x", ({ message }) => assert.fail(message))
    .evaluate(contextOf(document));
}

Deno.test("$spread() takes objects apart, alone and in arrays", async () => {
  assert.deepEqual(await evaluate("$spread({'a': 1, 'b': 2})"), [{ a: 1 }, { b: 2 }]);
  const items = [{ a: 1, b: 2 }, { c: 3 }];
  assert.deepEqual(await evaluate("$spread(items)", { items }), [{ a: 1 }, { b: 2 }, { c: 3 }]);
  assert.equal(await evaluate("$spread('text')"), "text");
});

Deno.test("$spread() of 100,000 objects ends", async () => {
  const items = Array.from({ length: 100_000 }, (_, n) => ({ n }));
  assert.equal(await evaluate("$count($spread(items))", { items }), 100_000);
});

Deno.test("an expression may not work on text without end", async () => {
  await assert.rejects(
    evaluate("$map([1..200], function($n) { $substring($pad('x', 1000000), 0, 1) })"),
    /works on more than 100000000 characters of text/,
  );
});
