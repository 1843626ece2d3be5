import assert from "node:assert/strict";
import { call, post } from "../support/call.ts";
import { openDatabase } from "../support/database.ts";
import { testStack } from "../support/stack.ts";
import { createUser } from "../support/user.ts";
import { createWorkflow } from "../support/workflow.ts";

const stack = await testStack();
const owner = await createUser(stack);
const other = await createUser(stack);

/** A job that nobody takes during the test. */
async function startJob(): Promise<string> {
  await using db = openDatabase(stack);
  const body = { workflow_id: await createWorkflow(db), run_at: "2040-01-31T12:00:00Z" };
  return (await post(stack, "workflows/start", body, owner)).body.job_id;
}

Deno.test("GET jobs and GET jobs/{id} are list-jobs and get-job by another door", async () => {
  const id = await startJob();
  const job = await call(stack, `jobs/${id}`, { as: owner });
  const list = await call(stack, "jobs?limit=1", { as: owner });
  assert.deepEqual([job.status, list.status], [200, 200]);
  const { children, ...row } = job.body;
  assert.deepEqual(list.body.jobs, [row]);
  assert.equal(children, null);
  assert.deepEqual(job.body, (await call(stack, `get-job/${id}`, { as: owner })).body);
});

Deno.test("POST jobs/{id}/cancel asks for the end of the job", async () => {
  await using db = openDatabase(stack);
  const id = await startJob();
  const answer = await post(stack, `jobs/${id}/cancel`, { reason: "changed my mind 😀" }, owner);
  assert.equal(answer.status, 202);
  assert.equal(answer.body.job_id, id);
  // Either the request lies in the mailbox still, or it has been carried out by now.
  const [row] = await db`
    select j.status = 'cancelled' or exists (
      select from job_inbox i where i.job_id = j.id and i.kind = 'cancel'
        and i.payload ->> 'reason' = 'changed my mind 😀') as asked
    from jobs j where j.id = ${id}`;
  assert.equal(row?.["asked"], true);
});

Deno.test("POST jobs/{id}/cancel needs no body", async () => {
  const answer = await call(stack, `jobs/${await startJob()}/cancel`, {
    method: "POST",
    as: owner,
  });
  assert.equal(answer.status, 202);
});

Deno.test("POST jobs/{id}/cancel answers 409 when the job has ended", async () => {
  await using db = openDatabase(stack);
  const workflowId = await createWorkflow(db);
  const [job] = await db`
    insert into jobs (user_id, workflow_id, status, completed_at)
    values (${owner.id}, ${workflowId}, 'completed', now()) returning id`;
  const answer = await post(stack, `jobs/${job?.["id"]}/cancel`, {}, owner);
  assert.deepEqual([answer.status, answer.body.error.code], [409, "job_ended"]);
});

Deno.test("POST jobs/{id}/cancel answers 404 for another user's job, and leaves it alone", async () => {
  await using db = openDatabase(stack);
  const id = await startJob();
  for (const target of [id, crypto.randomUUID(), "7"]) {
    const answer = await post(stack, `jobs/${target}/cancel`, {}, other);
    assert.deepEqual([answer.status, answer.body.error.code], [404, "job_not_found"]);
  }
  assert.equal((await db`select from job_inbox where job_id = ${id}`).length, 0);
});

Deno.test("POST jobs/{id}/cancel answers 400 for a bad body, 401 without a token", async () => {
  const id = await startJob();
  for (const body of [{ reason: 1 }, { why: "x" }, { reason: "x".repeat(1_001) }, "{"]) {
    assert.equal((await post(stack, `jobs/${id}/cancel`, body, owner)).status, 400);
  }
  assert.equal((await post(stack, `jobs/${id}/cancel`, {})).status, 401);
});

for (const path of ["jobs/a/b/c", "jobs/cancel/x"]) {
  Deno.test(`jobs answers 404 at ${path}`, async () => {
    assert.equal((await call(stack, path, { as: owner })).status, 404);
  });
}

Deno.test("jobs answers 405 with Allow where another method is meant", async () => {
  const id = crypto.randomUUID();
  assert.equal((await post(stack, "jobs", {}, owner)).headers.get("allow"), "GET, OPTIONS");
  assert.equal((await call(stack, `jobs/${id}/cancel`, { as: owner })).status, 405);
});
