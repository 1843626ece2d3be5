import assert from "node:assert/strict";
import { call, post } from "../../support/call.ts";
import { openDatabase } from "../../support/database.ts";
import { testStack } from "../../support/stack.ts";
import { createUser } from "../../support/user.ts";
import { createWorkflow, ECHO_DEFINITION } from "../../support/workflow.ts";
import { insertFailedJob, insertJob, startLater } from "../support.ts";

const stack = await testStack();
const owner = await createUser(stack);

Deno.test("POST jobs/{id}/retry opens a failed job again", async () => {
  await using db = openDatabase(stack);
  const id = await insertFailedJob(db, owner);
  const answer = await call(stack, `jobs/${id}/retry`, { method: "POST", as: owner });
  assert.deepEqual([answer.status, answer.body], [202, { job_id: id, status: "pending" }]);
  const [row] = await db`select run_number from jobs where id = ${id}`;
  assert.equal(row?.["run_number"], 2);
});

Deno.test("POST jobs/{id}/retry takes new input that fits the version which the job runs", async () => {
  await using db = openDatabase(stack);
  const input_schema = {
    type: "object",
    required: ["url", "count"],
    properties: { url: { type: "string" }, count: { type: "integer" } },
  };
  const workflow_id = await createWorkflow(db, { ...ECHO_DEFINITION, input_schema });
  const id = await insertFailedJob(db, owner, { workflow_id, input_data: { url: "a", count: 1 } });
  // The version of now asks for something else; the job is pinned to the one before.
  const now = { ...ECHO_DEFINITION, input_schema: { required: ["other"] } };
  await db`update workflows set definition = ${db.json(now as never)} where id = ${workflow_id}`;

  const bad = await post(stack, `jobs/${id}/retry`, { input_data: { count: "x" } }, owner);
  assert.deepEqual([bad.status, bad.body.error.code], [422, "input_invalid"]);
  assert.match(bad.body.error.message, /^Cannot retry '.+' \(version 1\) as 'input_data/);
  const paths = bad.body.error.details.map((fault: Record<string, string>) => fault["path"]);
  assert.deepEqual(paths.sort(), ["input_data.count", "input_data.url"]);

  const input_data = { url: "b", count: 2 };
  const good = await post(stack, `jobs/${id}/retry`, { from_step: "step1", input_data }, owner);
  assert.equal(good.status, 202, JSON.stringify(good.body));
  const [row] = await db`select input_data, run_number from jobs where id = ${id}`;
  assert.deepEqual({ ...row }, { input_data, run_number: 2 });
});

Deno.test("POST jobs/{id}/retry answers 409 for a job that has not failed", async () => {
  await using db = openDatabase(stack);
  const pending = await startLater(stack, owner);
  const completed = await insertJob(db, owner, { status: "completed", completed_at: new Date() });
  for (const id of [pending, completed]) {
    const answer = await post(stack, `jobs/${id}/retry`, {}, owner);
    assert.deepEqual([answer.status, answer.body.error.code], [409, "wrong_status"]);
  }
});

Deno.test("POST jobs/{id}/retry answers 400 for a step where the job has not been", async () => {
  await using db = openDatabase(stack);
  const id = await insertFailedJob(db, owner);
  const answer = await post(stack, `jobs/${id}/retry`, { from_step: "elsewhere" }, owner);
  assert.deepEqual([answer.status, answer.body.error.code], [400, "invalid_request"]);
  assert.match(answer.body.error.message, /'elsewhere'/);
});

Deno.test("POST jobs/{id}/retry answers 413 for input that is too large", async () => {
  await using db = openDatabase(stack);
  const id = await insertFailedJob(db, owner);
  const input_data = { text: "x".repeat(1024 * 1024) };
  const answer = await post(stack, `jobs/${id}/retry`, { input_data }, owner);
  assert.deepEqual([answer.status, answer.body.error.code], [413, "payload_too_large"]);
});
