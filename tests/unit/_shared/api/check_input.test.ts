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
  assert.deepEqual(check(SCHEMA, { url: "x", count: 1 }, "input_data"), []);
  assert.deepEqual(check(structuredClone(SCHEMA), { url: "x" }, "input_data"), []);
});

Deno.test("createInputCheck() lists every fault with its place", () => {
  const faults = createInputCheck()(SCHEMA, { url: 7, count: 0 }, "input_data");
  const paths = faults.map(({ path }) => path);
  assert.ok(paths.includes("input_data.url") && paths.includes("input_data.count"), String(paths));
});

Deno.test("createInputCheck() blames the workflow for a schema that is none", () => {
  assert.throws(
    () => createInputCheck()({ type: "thing" }, {}, "input_data"),
    (error: ApiError) => {
      assert.equal(error.code, "definition_invalid");
      assert.match(error.message, /'input_schema/);
      return true;
    },
  );
});

Deno.test("createInputCheck() tells faults of a form under its own name", () => {
  const [fault] = createInputCheck()(SCHEMA, {}, "form");
  assert.match(String(fault?.path), /^form/);
});
