import assert from "node:assert/strict";
import {
  cancelRequestSchema,
  listRequestSchema,
  startRequestSchema,
} from "../../../../supabase/functions/_shared/contracts/requests.ts";
import type { ApiError } from "../../../../supabase/functions/_shared/http/errors.ts";
import { validate } from "../../../../supabase/functions/_shared/http/validate.ts";

const START: [body: unknown, path: string, message: RegExp][] = [
  [{}, "workflow_id", /^is missing$/],
  [{ workflow_id: 7 }, "workflow_id", /^must be a string$/],
  [{ workflow_id: "" }, "workflow_id", /^must be >= 1 characters$/],
  [{ workflow_id: "x".repeat(201) }, "workflow_id", /^must be <= 200 characters$/],
  [{ workflow_id: null }, "workflow_id", /^must be a string$/],
  [{ workflow_id: "w", input_data: [] }, "input_data", /^must be an object$/],
  [{ workflow_id: "w", input_data: "{}" }, "input_data", /^must be an object$/],
  [{ workflow_id: "w", input_data: null }, "input_data", /^must be an object$/],
  [{ workflow_id: "w", priority: 10 }, "priority", /^must be <= 9$/],
  [{ workflow_id: "w", priority: -1 }, "priority", /^must be >= 0$/],
  [{ workflow_id: "w", priority: 1.5 }, "priority", /^must be an integer$/],
  [{ workflow_id: "w", priority: "5" }, "priority", /^must be a number$/],
  [{ workflow_id: "w", run_at: "tomorrow" }, "run_at", /^must be a time with its offset/],
  [{ workflow_id: "w", run_at: "2030-01-01T00:00:00" }, "run_at", /with its offset/],
  [{ workflow_id: "w", run_at: "2030-02-30T00:00:00Z" }, "run_at", /with its offset/],
  [{ workflow_id: "w", metadata: { a: "x".repeat(20_000) } }, "metadata", /16384 characters/],
  [{ workflow_id: "w", idempotency_key: "" }, "idempotency_key", /^must be >= 1 characters$/],
  [{ workflow_id: "w", user_id: "x" }, "user_id", /^is not known$/],
  [[], "", /^must be an object$/],
  ["x", "", /^must be an object$/],
  [undefined, "", /^is missing$/],
];

for (const [body, path, message] of START) {
  const text = (JSON.stringify(body) ?? "nothing").slice(0, 60);
  Deno.test(`validate() names the fault of a start with ${text}`, () => {
    assert.throws(() => validate(startRequestSchema, body), (error: ApiError) => {
      const [fault] = error.details as { path: string; message: string }[];
      assert.equal(error.status, 400);
      assert.equal(fault?.path, path);
      assert.match(fault.message, message);
      return true;
    });
  });
}

Deno.test("validate() lists every fault", () => {
  assert.throws(
    () => validate(startRequestSchema, { priority: "x", a: 1, b: 2 }),
    (error: ApiError) => {
      const paths = (error.details as { path: string }[]).map(({ path }) => path);
      assert.deepEqual(paths.sort(), ["a", "b", "priority", "workflow_id"]);
      assert.match(error.message, /and 3 more/);
      return true;
    },
  );
});

Deno.test("validate() hands an input on as it is, odd keys included", () => {
  const input = JSON.parse('{"__proto__": {"a": 1}, "constructor": 1, "": 2}');
  const request = validate(startRequestSchema, { workflow_id: "w", input_data: input });
  assert.equal(request.input_data, input);
  assert.deepEqual(Object.keys(request.input_data ?? {}), ["__proto__", "constructor", ""]);
});

for (const run_at of ["2030-01-31T12:00:00Z", "2030-01-31T12:00:00.123456+05:30"]) {
  Deno.test(`validate() takes run_at ${run_at}`, () => {
    assert.equal(validate(startRequestSchema, { workflow_id: "w", run_at }).run_at, run_at);
  });
}

for (
  const query of [
    { limit: "0" },
    { limit: "101" },
    { limit: "-1" },
    { limit: "ten" },
    { limit: "1.5" },
    { limit: "" },
    { status: "done" },
    { workflow_id: "" },
    { cursor: "" },
    { offset: "3" },
    { select: "*" },
  ]
) {
  Deno.test(`validate() refuses a list with ${JSON.stringify(query)}`, () => {
    assert.throws(() => validate(listRequestSchema, query), (error: ApiError) => {
      assert.equal((error.details as { path: string }[])[0]?.path, Object.keys(query)[0]);
      return error.status === 400;
    });
  });
}

Deno.test("validate() gives a list its defaults", () => {
  assert.deepEqual(validate(listRequestSchema, {}), { include_children: false, limit: 20 });
});

Deno.test("validate() takes a cancel with and without a reason", () => {
  assert.deepEqual(validate(cancelRequestSchema, {}), {});
  assert.deepEqual(validate(cancelRequestSchema, { reason: "no" }), { reason: "no" });
  assert.throws(() => validate(cancelRequestSchema, { reason: 1 }));
});
