import assert from "node:assert/strict";
import { placeOf, within } from "../../../../supabase/functions/_shared/engine/place.ts";
import { show } from "../../../../supabase/functions/_shared/engine/problem.ts";

Deno.test("placeOf() prints keys as users read them", () => {
  assert.equal(
    placeOf(["steps", "charge", "input_map", "amount"]),
    "steps.charge.input_map.amount",
  );
  assert.equal(placeOf(["a", 0, "b-c", "d e", "", "$expr"]), 'a[0].b-c["d e"][""].$expr');
  assert.equal(placeOf([]), "");
  assert.equal(within("", "a b"), '["a b"]');
});

Deno.test("show() cuts long values, and takes what is not JSON", () => {
  assert.equal(show({ a: [1, "x"] }), '{"a":[1,"x"]}');
  assert.equal(show(undefined), "undefined");
  assert.equal(show("x".repeat(100)), `"${"x".repeat(79)}…`);
});
