import assert from "node:assert/strict";
import { EngineError } from "../../../../supabase/functions/_shared/engine/errors.ts";

Deno.test("EngineError() carries the error as jobs show it", () => {
  const error = new EngineError("timeout", "Too slow");
  assert.equal(error.message, "Too slow");
  assert.deepEqual(error.info, { code: "timeout", message: "Too slow", retryable: true });
});

Deno.test("EngineError() carries details where there are any, falsy ones too", () => {
  assert.equal(new EngineError("mapping_failed", "x", 0).info.details, 0);
});
