import assert from "node:assert/strict";
import type { StartJob } from "../../../../supabase/functions/_shared/store/user_store/jobs.ts";
import {
  DatabaseUnavailableError,
  IdempotencyConflictError,
} from "../../../../supabase/functions/_shared/store/errors.ts";
import { CREATED_AT, fakeFunction, JOB_ID, USER_ID } from "./fake_deps.ts";

const STARTED = {
  job_id: JOB_ID,
  status: "pending",
  created_at: CREATED_AT,
  created: true,
  kick: true,
};

function starting(reply: Partial<typeof STARTED> = {}) {
  const wishes: StartJob[] = [];
  return {
    wishes,
    startJob: (wish: StartJob) => {
      wishes.push(wish);
      return Promise.resolve({ ...STARTED, ...reply });
    },
  };
}

for (const [name, path] of [["start-workflow", "/"], ["workflows", "/start"]] as const) {
  Deno.test(`startJob() answers 201 through ${name}${path} and kicks`, async () => {
    const { wishes, startJob } = starting();
    const { call, seen } = fakeFunction(name, { startJob });
    const body = { workflow_id: "hello_v1", input_data: { payload: "😀" }, priority: 7 };
    const reply = await call(path, { method: "POST", body });
    assert.equal(reply.status, 201);
    assert.deepEqual(reply.body, { job_id: JOB_ID, status: "pending", created_at: CREATED_AT });
    assert.equal(wishes[0]?.workflowId, "hello_v1");
    assert.deepEqual(wishes[0]?.inputData, { payload: "😀" });
    assert.equal(wishes[0]?.priority, 7);
    assert.match(wishes[0]?.traceId ?? "", /^[0-9a-f]{32}$/);
    assert.equal(seen.kicks, 1);
    assert.equal(seen.counted, 1);
    assert.deepEqual(
      [seen.lines[0]?.["endpoint"], seen.lines[0]?.["user_id"], seen.lines[0]?.["job_id"]],
      ["start-workflow", USER_ID, JOB_ID],
    );
    assert.doesNotMatch(JSON.stringify(seen.lines), /😀|good/);
  });
}

Deno.test("startJob() starts with an empty object when there is no input", async () => {
  const { wishes, startJob } = starting();
  await fakeFunction("start-workflow", { startJob }).call("/", {
    method: "POST",
    body: { workflow_id: "w" },
  });
  assert.deepEqual(wishes[0]?.inputData, {});
});

Deno.test("startJob() answers 200 for the job of before, and does not kick unless told", async () => {
  const { startJob } = starting({ created: false, kick: false, status: "completed" });
  const { call, seen } = fakeFunction("start-workflow", { startJob });
  const reply = await call("/", {
    method: "POST",
    body: { workflow_id: "w", idempotency_key: "k" },
  });
  assert.deepEqual([reply.status, reply.body.status, seen.kicks], [200, "completed", 0]);
});

Deno.test("startJob() answers 409 for another input under the same key", async () => {
  const { call, seen } = fakeFunction("start-workflow", {
    startJob: () => Promise.reject(new IdempotencyConflictError("used by job x", "MR003")),
  });
  const reply = await call("/", {
    method: "POST",
    body: { workflow_id: "w", idempotency_key: "k" },
  });
  assert.deepEqual([reply.status, reply.body.error.code], [409, "idempotency_conflict"]);
  assert.equal(reply.body.error.message, "used by job x");
  assert.equal(seen.kicks, 0);
});

Deno.test("startJob() answers 404 for a workflow that does not exist", async () => {
  const { call } = fakeFunction("start-workflow", { findInputSchema: () => Promise.resolve(null) });
  const reply = await call("/", {
    method: "POST",
    body: { workflow_id: "'; drop table jobs; --" },
  });
  assert.deepEqual([reply.status, reply.body.error.code], [404, "workflow_not_found"]);
});

Deno.test("startJob() answers 422 with every fault of the input", async () => {
  const faults = [{ path: "input_data.a", message: "must be a number" }];
  const schema = { type: "object" };
  const { call } = fakeFunction("start-workflow", {
    findInputSchema: () => Promise.resolve({ version: 3, inputSchema: schema }),
  }, {
    checkInput: (given, input) => {
      assert.deepEqual([given, input], [schema, { a: "x" }]);
      return faults;
    },
  });
  const reply = await call("/", {
    method: "POST",
    body: { workflow_id: "w", input_data: { a: "x" } },
  });
  assert.equal(reply.status, 422);
  assert.equal(reply.body.error.code, "input_invalid");
  assert.deepEqual(reply.body.error.details, faults);
});

Deno.test("startJob() repeats a start though the workflow takes other input by now", async () => {
  const { startJob } = starting({ created: false, kick: false });
  const { call } = fakeFunction("start-workflow", {
    startJob,
    findInputSchema: () => Promise.resolve({ version: 2, inputSchema: {} }),
    hasIdempotencyKey: (key) => Promise.resolve(key === "k"),
  }, { checkInput: () => [{ path: "input_data", message: "is wrong" }] });
  const body = { workflow_id: "w", idempotency_key: "k" };
  assert.equal((await call("/", { method: "POST", body })).status, 200);
  const other = { workflow_id: "w", idempotency_key: "new" };
  assert.equal((await call("/", { method: "POST", body: other })).status, 422);
});

Deno.test("startJob() answers 413 for an input that is too large", async () => {
  const body = { workflow_id: "w", input_data: { text: "ü".repeat(600) } };
  const { call } = fakeFunction("start-workflow", {});
  const reply = await call("/", { method: "POST", body });
  assert.equal(reply.status, 413);
  assert.match(reply.body.error.message, /'input_data' must be <= 1000 bytes/);
});

Deno.test("startJob() answers 401 and touches nothing without a token", async () => {
  const { call, seen } = fakeFunction("start-workflow", {});
  for (const token of [null, "bad"]) {
    const reply = await call("/", { method: "POST", body: { workflow_id: "w" }, token });
    assert.equal(reply.status, 401);
    assert.match(reply.headers.get("www-authenticate") ?? "", /^Bearer/);
  }
  assert.equal(seen.counted, 0);
});

Deno.test("startJob() answers 429 and starts nothing beyond the limit", async () => {
  const { call } = fakeFunction("start-workflow", {}, {
    countRequest: () => Promise.resolve({ allowed: false, remaining: 0, retry_after_seconds: 9 }),
  });
  const reply = await call("/", { method: "POST", body: { workflow_id: "w" } });
  assert.deepEqual([reply.status, reply.headers.get("retry-after")], [429, "9"]);
});

Deno.test("startJob() answers 503 when the database is down", async () => {
  const down = () => Promise.reject(new DatabaseUnavailableError("gone"));
  const { call, seen } = fakeFunction("start-workflow", { startJob: down });
  const reply = await call("/", { method: "POST", body: { workflow_id: "w" } });
  assert.deepEqual([reply.status, reply.headers.get("retry-after")], [503, "5"]);
  assert.equal(seen.kicks, 0);
});

Deno.test("startJob() answers 400 for a body that is missing", async () => {
  const { call } = fakeFunction("start-workflow", {});
  assert.equal((await call("/", { method: "POST" })).status, 400);
});
