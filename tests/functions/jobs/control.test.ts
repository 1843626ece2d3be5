import assert from "node:assert/strict";
import { call, post } from "../../support/call.ts";
import { openDatabase } from "../../support/database.ts";
import { testStack } from "../../support/stack.ts";
import { createUser } from "../../support/user.ts";
import { insertFailedJob, insertJob, startLater } from "../support.ts";

const stack = await testStack();
const owner = await createUser(stack);

Deno.test("POST jobs/{id}/pause asks that the job begin nothing new", async () => {
  await using db = openDatabase(stack);
  const id = await startLater(stack, owner);
  const answer = await post(stack, `jobs/${id}/pause`, { reason: "lunch 😀" }, owner);
  assert.deepEqual([answer.status, answer.body], [202, { job_id: id, status: "pending" }]);
  // Either the wish lies in the mailbox still, or it has been carried out by now.
  const [row] = await db`
    select j.status = 'paused' or exists (
      select from job_inbox i where i.job_id = j.id and i.kind = 'pause'
        and i.payload ->> 'reason' = 'lunch 😀') as asked
    from jobs j where j.id = ${id}`;
  assert.equal(row?.["asked"], true);
});

Deno.test("POST jobs/{id}/resume asks that a paused job go on", async () => {
  await using db = openDatabase(stack);
  const id = await insertJob(db, owner, { status: "paused", current_step_id: "step1" });
  const answer = await post(stack, `jobs/${id}/resume`, {}, owner);
  assert.deepEqual([answer.status, answer.body], [202, { job_id: id, status: "paused" }]);
  const [row] = await db`
    select j.status <> 'paused' or exists (
      select from job_inbox i where i.job_id = j.id and i.kind = 'resume') as asked
    from jobs j where j.id = ${id}`;
  assert.equal(row?.["asked"], true);
});

for (const action of ["pause", "resume"]) {
  Deno.test(`POST jobs/{id}/${action} needs no body`, async () => {
    const id = await startLater(stack, owner);
    const answer = await call(stack, `jobs/${id}/${action}`, { method: "POST", as: owner });
    assert.equal(answer.status, 202);
  });
}

for (const [action, body] of [["pause", {}], ["resume", {}], ["signal", { name: "go" }]] as const) {
  Deno.test(`POST jobs/{id}/${action} answers 409 when the job has ended`, async () => {
    await using db = openDatabase(stack);
    const id = await insertFailedJob(db, owner);
    const answer = await post(stack, `jobs/${id}/${action}`, body, owner);
    assert.deepEqual([answer.status, answer.body.error.code], [409, "job_ended"]);
  });
}

for (const payload of [{ ok: true, deep: { list: [1, null] } }, [1, 2]]) {
  Deno.test(`POST jobs/{id}/signal takes ${JSON.stringify(payload)} as payload`, async () => {
    await using db = openDatabase(stack);
    const id = await startLater(stack, owner);
    const answer = await post(stack, `jobs/${id}/signal`, { name: "go on", payload }, owner);
    assert.deepEqual([answer.status, answer.body], [202, { job_id: id, status: "pending" }]);
    const [event] = await db`select name, payload, user_id from events where job_id = ${id}`;
    assert.deepEqual({ ...event }, { name: "go on", payload, user_id: owner.id });
  });
}

Deno.test("POST jobs/{id}/signal gives an empty object where there is no payload", async () => {
  await using db = openDatabase(stack);
  const id = await startLater(stack, owner);
  assert.equal((await post(stack, `jobs/${id}/signal`, { name: "go" }, owner)).status, 202);
  const [event] = await db`select payload from events where job_id = ${id}`;
  assert.deepEqual(event?.["payload"], {});
});
