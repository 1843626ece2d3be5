import assert from "node:assert/strict";
import { createInputCheck } from "../../../../supabase/functions/_shared/api/check_input.ts";
import type { ApiError } from "../../../../supabase/functions/_shared/http/errors.ts";

const SCHEMA = {
  type: "object",
  required: ["url"],
  properties: { url: { type: "string" }, count: { type: "integer", minimum: 1 } },
};

Deno.test("createInputCheck() finds nothing in an input that fits", () => {
  const check = createInputCheck();
  assert.deepEqual(check(SCHEMA, { url: "x", count: 1 }), []);
  assert.deepEqual(check(structuredClone(SCHEMA), { url: "x" }), []);
});

Deno.test("createInputCheck() lists every fault with its place", () => {
  const faults = createInputCheck()(SCHEMA, { url: 7, count: 0 });
  const paths = faults.map(({ path }) => path);
  assert.ok(paths.includes("input_data.url") && paths.includes("input_data.count"), String(paths));
});

Deno.test("createInputCheck() blames the workflow for a schema that is none", () => {
  assert.throws(() => createInputCheck()({ type: "thing" }, {}), (error: ApiError) => {
    assert.equal(error.code, "definition_invalid");
    assert.match(error.message, /'input_schema/);
    return true;
  });
});
