import assert from "node:assert/strict";
import { ENGINE_COLUMNS, JOB_COLUMNS } from "../../supabase/functions/_shared/store/job_row.ts";
import { call, post } from "../support/call.ts";
import { openDatabase } from "../support/database.ts";
import { callBeyondLimit } from "../support/rate_limit.ts";
import { testStack } from "../support/stack.ts";
import { createUser } from "../support/user.ts";
import { createWorkflow } from "../support/workflow.ts";

const stack = await testStack();
const owner = await createUser(stack);
const other = await createUser(stack);
const jobId = await startJob();

async function startJob(): Promise<string> {
  await using db = openDatabase(stack);
  const answer = await post(stack, "start-workflow", {
    workflow_id: await createWorkflow(db),
    input_data: { payload: "Hello" },
    run_at: "2040-01-31T12:00:00Z",
    idempotency_key: crypto.randomUUID(),
  }, owner);
  assert.equal(answer.status, 201);
  return answer.body.job_id;
}

Deno.test("get-job answers the owner with every column but the engine's own", async () => {
  const answer = await call(stack, `get-job/${jobId}`, { as: owner });
  assert.equal(answer.status, 200);
  assert.deepEqual(Object.keys(answer.body).sort(), ["children", "job_id", ...JOB_COLUMNS].sort());
  const { job_id, id, user_id, status, input_data, step_data, run_at } = answer.body;
  assert.deepEqual({ job_id, id, user_id, status, input_data, step_data, run_at }, {
    job_id: jobId,
    id: jobId,
    user_id: owner.id,
    status: "pending",
    input_data: { payload: "Hello" },
    step_data: {},
    run_at: "2040-01-31T12:00:00+00:00",
  });
  assert.match(answer.body.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00$/);
});

Deno.test("get-job knows every column of the table, as shown or as the engine's own", async () => {
  await using db = openDatabase(stack);
  const rows = await db<{ column_name: string }[]>`
    select column_name from information_schema.columns
    where table_schema = 'public' and table_name = 'jobs'`;
  const known = [...JOB_COLUMNS, ...ENGINE_COLUMNS].sort();
  assert.deepEqual(rows.map((row) => row.column_name).sort(), known);
});

Deno.test("get-job answers 404 for another user's job, as for one that is not there", async () => {
  const hidden = await call(stack, `get-job/${jobId}`, { as: other });
  const missing = await call(stack, `get-job/${crypto.randomUUID()}`, { as: other });
  for (const answer of [hidden, missing]) {
    assert.deepEqual([answer.status, answer.body.error.code], [404, "job_not_found"]);
  }
  const shape = (answer: typeof hidden) => answer.body.error.message.replace(/[0-9a-f-]{36}/, "");
  assert.equal(shape(hidden), shape(missing));
});

for (const id of ["7", "null", "' or 1=1 --", "*", "%F0%9F%98%80"]) {
  Deno.test(`get-job answers 404 for '${id}'`, async () => {
    const answer = await call(stack, `get-job/${encodeURIComponent(id)}`, { as: owner });
    assert.deepEqual([answer.status, answer.body.error.code], [404, "job_not_found"]);
  });
}

Deno.test("get-job answers 401 without a token", async () => {
  assert.equal((await call(stack, `get-job/${jobId}`)).status, 401);
});

Deno.test("get-job answers 404 at no path of its own, 405 for POST", async () => {
  assert.equal((await call(stack, "get-job", { as: owner })).status, 404);
  assert.equal((await call(stack, `get-job/${jobId}/x`, { as: owner })).status, 404);
  assert.equal((await post(stack, `get-job/${jobId}`, {}, owner)).status, 405);
});

Deno.test("get-job answers 429 when a user has had enough", async () => {
  const busy = await createUser(stack);
  const send = () => call(stack, `get-job/${jobId}`, { as: busy });
  const answer = await callBeyondLimit(stack, busy, send);
  assert.equal(answer.status, 429);
  assert.match(answer.headers.get("retry-after") ?? "", /^\d+$/);
});

Deno.test("get-job has its response times recorded", async () => {
  await using db = openDatabase(stack);
  const since = new Date();
  await call(stack, `get-job/${jobId}`, { as: owner });
  for (let tries = 0; tries < 100; tries++) {
    const rows = await db`
      select duration_ms from api_requests
      where endpoint = 'get-job' and method = 'GET' and status = 200 and created_at >= ${since}`;
    if (rows.length > 0) return assert.ok(rows[0]?.["duration_ms"] > 0);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail("nothing was recorded");
});
