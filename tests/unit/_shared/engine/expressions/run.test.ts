import assert from "node:assert/strict";
import { compileExpression } from "../../../../../supabase/functions/_shared/engine/expressions.ts";
import { messageOf } from "../../../../../supabase/functions/_shared/engine/expressions/failure.ts";
import { isTruthy } from "../../../../../supabase/functions/_shared/engine/expressions/truth.ts";
import { toPlainJson } from "../../../../../supabase/functions/_shared/engine/expressions/plain.ts";
import { Run, runOf } from "../../../../../supabase/functions/_shared/engine/expressions/run.ts";
import { contextOf } from "../support.ts";

Deno.test("runOf() refuses an evaluation that was started without a run", () => {
  const environment = { lookup: () => undefined, timestamp: new Date(0) };
  assert.throws(() => runOf(environment), /^ExpressionFailure: it is evaluated outside of a run$/);
});

Deno.test("leave() refuses an array that has grown too large", () => {
  assert.throws(
    () => new Run(contextOf({}), "x").leave(new Array(1_000_001)),
    /^ExpressionFailure: it makes an array of more than 1000000 items$/,
  );
});

Deno.test("messageOf() of errors that are not JSONata's", () => {
  assert.equal(messageOf("text"), "text");
  assert.equal(messageOf({ code: "X1" }), "X1");
  assert.equal(messageOf({}), "unknown error");
});

Deno.test("toPlainJson() gives null for what JSON has no form for", () => {
  assert.deepEqual(toPlainJson([1, undefined]), [1, null]);
});

Deno.test("isTruthy() of a function is false", () => {
  assert.equal(isTruthy(() => true), false);
});

Deno.test("$random() draws other numbers in another place of the same attempt, and the same again", async () => {
  const draw = (place: string) =>
    compileExpression("$random()", place, ({ message }) => assert.fail(message))
      .evaluate(contextOf({}));
  assert.notEqual(await draw("steps.a.input_map.x"), await draw("steps.a.input_map.y"));
  assert.equal(await draw("steps.a.input_map.x"), await draw("steps.a.input_map.x"));
});
