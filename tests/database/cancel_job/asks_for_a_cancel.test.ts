import assert from "node:assert/strict";
import type { TestDatabase } from "../../support/database.ts";
import { privateDatabase } from "../../support/private_database.ts";
import { as, claimOne, commit, completionOf, insertJob, readJob } from "../../support/engine.ts";
import { ALICE, BOB, queuedCalls, setSecrets } from "../../support/seed_database.ts";

const file = await privateDatabase();

const cancel = async (db: TestDatabase, id: string, reason: string | null = null) =>
  (await db`select public.cancel_job(${id}, ${reason}) as reply`)[0]?.reply;
const cancelAs = (db: TestDatabase, user: string, id: string, reason?: string) =>
  as(db, "authenticated", user, (db) => cancel(db, id, reason));

file.test("cancel_job() puts the wish into the mailbox and wakes the job", async (db) => {
  const id = await insertJob(db, { run_at: "2099-01-01T00:00:00Z" });
  const reply = await cancelAs(db, ALICE, id, "no longer needed");
  assert.deepEqual(reply, { job_id: id, status: "pending", kick: false });
  const row = await readJob(db, id);
  assert.equal(row.status, "pending"); // the owner of the lease carries it out
  assert.ok(row.next_run_at <= new Date());
  const { messages } = await claimOne(db);
  assert.deepEqual(messages.map(({ kind, payload }) => [kind, payload]), [
    ["cancel", { reason: "no longer needed" }],
  ]);
});

for (const kick of [true, false]) {
  file.test(`cancel_job() leaves the kick to ${kick ? "the database" : "its caller"}`, async (db) => {
    await setSecrets(db);
    const id = await insertJob(db);
    await db`delete from net.http_request_queue`;
    await db`update millrace.pulse set last_kick_at = null`;
    const [row] = await as(
      db,
      "authenticated",
      ALICE,
      (db) => db`select public.cancel_job(${id}, p_kick => ${kick}) as reply`,
    );
    assert.equal(row?.reply.kick, !kick);
    assert.equal((await queuedCalls(db)).length, kick ? 1 : 0);
  });
}

file.test("cancel_job() leaves a lease alone and asks its owner", async (db) => {
  const id = await insertJob(db);
  await claimOne(db);
  const before = await readJob(db, id);
  const reply = await cancelAs(db, ALICE, id);
  assert.equal(reply.status, "running");
  const { lease_token, next_run_at, wake_requested } = await readJob(db, id);
  assert.deepEqual(
    [lease_token, next_run_at, wake_requested],
    [before.lease_token, before.next_run_at, true],
  );
});

file.test("cancel_job() of a job that waits for the outside makes it due", async (db) => {
  const id = await insertJob(db, { status: "waiting" });
  await db`update public.jobs set next_run_at = null`;
  await cancelAs(db, ALICE, id);
  assert.equal((await claimOne(db)).messages.length, 1);
});

file.test("cancel_job() does not see another user's job, MR002", async (db) => {
  const id = await insertJob(db);
  const refusal = { code: "MR002", message: `Cannot cancel job as there is no job ${id}` };
  await assert.rejects(cancelAs(db, BOB, id), refusal);
  assert.equal((await db`select from public.job_inbox`).count, 0);
});

file.test("cancel_job() of a job that never was says the same, MR002", async (db) => {
  const id = crypto.randomUUID();
  const refusal = { code: "MR002", message: `Cannot cancel job as there is no job ${id}` };
  await assert.rejects(cancelAs(db, ALICE, id), refusal);
});

file.test("cancel_job() refuses a job that has ended, MR007", async (db) => {
  const id = await insertJob(db);
  await commit(db, [completionOf(await claimOne(db))]);
  await assert.rejects(cancelAs(db, ALICE, id), {
    code: "MR007",
    message: `Cannot send a message to job ${id} as it has ended`,
  });
});

file.test("cancel_job() works for the service role on anybody's job", async (db) => {
  const id = await insertJob(db, { user_id: BOB });
  const reply = await as(db, "service_role", null, (db) => cancel(db, id, "x".repeat(2000)));
  assert.equal(reply.job_id, id);
  const [message] = await db`select payload from public.job_inbox`;
  assert.equal(message?.payload.reason.length, 1000);
});

file.test("cancel_job() keeps one wish, however often it is told", async (db) => {
  const id = await insertJob(db);
  for (let n = 0; n < 3; n++) await db`select public.cancel_job(${id}, ${`reason ${n}`})`;
  const rows = await db`select payload from public.job_inbox where job_id = ${id}`;
  assert.deepEqual(rows.map(({ payload }) => payload), [{ reason: "reason 0" }]);
});
