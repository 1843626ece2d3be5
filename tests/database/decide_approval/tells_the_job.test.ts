import assert from "node:assert/strict";
import { privateDatabase } from "../../support/private_database.ts";
import { as, claimOne, readJob } from "../../support/engine.ts";
import { BOB, queuedCalls, setSecrets, stopClock } from "../../support/seed_database.ts";
import {
  asPerson,
  CAROL,
  decide,
  FINANCE,
  insertApproval,
  OTHER,
  OWNER,
} from "../../support/approvals.ts";

const file = await privateDatabase();

for (const [decision, status] of [["approve", "approved"], ["reject", "rejected"]] as const) {
  file.test(`decide_approval() keeps who, when and what when somebody says ${decision}`, async (db) => {
    await stopClock(db, "2030-01-08T12:00:00Z");
    const { id, jobId } = await insertApproval(db, { assignees: ["finance"] });
    const answer = { notes: "as agreed", form: { amount: 0 } };
    const reply = await asPerson(db, FINANCE, (db) => decide(db, id, decision, answer));
    assert.deepEqual(reply, { approval_id: id, job_id: jobId, status, kick: false });

    const [row] = await db`
      select status, decided_by, decided_at, notes, form_data from public.approvals`;
    assert.deepEqual({ ...row }, {
      status,
      decided_by: CAROL,
      decided_at: new Date("2030-01-08T12:00:00Z"),
      notes: "as agreed",
      form_data: { amount: 0 },
    });

    const { messages } = await claimOne(db);
    assert.equal(messages.length, 1);
    const [{ id: _, ...message } = {}] = messages;
    assert.deepEqual(message, {
      kind: "decision",
      step_id: "ask",
      visit: 1,
      attempt: 1,
      payload: {
        approval_id: id,
        decision: status,
        by: CAROL,
        at: "2030-01-08T12:00:00+00:00",
        notes: "as agreed",
        form: { amount: 0 },
      },
    });
  });
}

file.test("decide_approval() wakes the job for an assignee who does not see it", async (db) => {
  const { id, jobId } = await insertApproval(db, { assignees: ["bob@example.com"] });
  const seen = await asPerson(db, OTHER, (db) => db`select from public.jobs`);
  assert.equal(seen.count, 0);
  await asPerson(db, OTHER, (db) => decide(db, id));
  const job = await readJob(db, jobId);
  assert.ok(job.next_run_at <= new Date());
  assert.equal(job.wake_requested, true);
});

file.test("decide_approval() leaves a lease alone and asks its owner", async (db) => {
  const { id, jobId } = await insertApproval(db, { assignees: ["finance"] });
  await db`update public.jobs set next_run_at = now()`;
  await claimOne(db);
  const before = await readJob(db, jobId);
  await asPerson(db, FINANCE, (db) => decide(db, id));
  const after = await readJob(db, jobId);
  assert.deepEqual(
    [after.lease_token, after.next_run_at, after.wake_requested],
    [before.lease_token, before.next_run_at, true],
  );
});

file.test("decide_approval() by the service role is by whom it says", async (db) => {
  const { id } = await insertApproval(db, { assignees: [] });
  await as(db, "service_role", null, (db) => decide(db, id, "reject", { by: BOB }));
  const [row] = await db`select status, decided_by from public.approvals`;
  assert.deepEqual({ ...row }, { status: "rejected", decided_by: BOB });
});

for (const kick of [true, false]) {
  file.test(`decide_approval() leaves the kick to ${kick ? "the database" : "its caller"}`, async (db) => {
    await setSecrets(db);
    const { id } = await insertApproval(db);
    await db`delete from net.http_request_queue`;
    await db`update millrace.pulse set last_kick_at = null`;
    const [row] = await asPerson(
      db,
      OWNER,
      (db) => db`select public.decide_approval(${id}, 'approve', p_kick => ${kick}) as reply`,
    );
    assert.equal(row?.reply.kick, !kick);
    assert.equal((await queuedCalls(db)).length, kick ? 1 : 0);
  });
}
