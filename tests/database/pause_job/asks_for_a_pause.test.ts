import assert from "node:assert/strict";
import type { TestDatabase } from "../../support/database.ts";
import { privateDatabase } from "../../support/private_database.ts";
import { as, claimOne, commit, completionOf, insertJob, readJob } from "../../support/engine.ts";
import { ALICE, BOB, queuedCalls, setSecrets } from "../../support/seed_database.ts";

const file = await privateDatabase();

const pause = async (db: TestDatabase, id: string, reason: string | null = null) =>
  (await db`select public.pause_job(${id}, ${reason}) as reply`)[0]?.reply;
const resume = async (db: TestDatabase, id: string) =>
  (await db`select public.resume_job(${id}) as reply`)[0]?.reply;

const mailbox = async (db: TestDatabase) =>
  (await db`select kind, payload from public.job_inbox order by id`)
    .map(({ kind, payload }) => [kind, payload]);

file.test("pause_job() puts the wish into the mailbox and wakes the job", async (db) => {
  const id = await insertJob(db, { run_at: "2099-01-01T00:00:00Z" });
  const reply = await as(db, "authenticated", ALICE, (db) => pause(db, id, "stock-taking"));
  assert.deepEqual(reply, { job_id: id, status: "pending", kick: false });
  assert.equal((await readJob(db, id)).status, "pending"); // the owner of the lease carries it out
  const { messages } = await claimOne(db);
  assert.deepEqual(messages.map(({ kind, payload }) => [kind, payload]), [
    ["pause", { reason: "stock-taking" }],
  ]);
});

file.test("pause_job() leaves a lease alone and asks its owner", async (db) => {
  const id = await insertJob(db);
  await claimOne(db);
  const before = await readJob(db, id);
  const reply = await as(db, "authenticated", ALICE, (db) => pause(db, id));
  assert.equal(reply.status, "running");
  const { lease_token, next_run_at, wake_requested } = await readJob(db, id);
  assert.deepEqual(
    [lease_token, next_run_at, wake_requested],
    [before.lease_token, before.next_run_at, true],
  );
});

file.test("pause_job() and resume_job(): the later wish wins, as a new message", async (db) => {
  const id = await insertJob(db);
  await pause(db, id, "first");
  const [read] = await db`select id from public.job_inbox`;
  await pause(db, id, "second");
  await resume(db, id);
  assert.deepEqual(await mailbox(db), [["resume", {}]]);
  await pause(db, id, "third");
  assert.deepEqual(await mailbox(db), [["pause", { reason: "third" }]]);
  // Who has read the first wish consumes that one alone.
  assert.equal((await db`delete from public.job_inbox where id = ${read?.id}`).count, 0);
});

file.test("pause_job() stands beside a wish to cancel", async (db) => {
  const id = await insertJob(db);
  await db`select public.cancel_job(${id}, 'enough')`;
  await pause(db, id);
  assert.deepEqual((await mailbox(db)).map(([kind]) => kind), ["cancel", "pause"]);
});

file.test("pause_job() keeps 1,000 characters of the reason", async (db) => {
  const id = await insertJob(db, { user_id: BOB });
  await as(db, "service_role", null, (db) => pause(db, id, "x".repeat(2_000)));
  const [message] = await db`select payload from public.job_inbox`;
  assert.equal(message?.payload.reason.length, 1_000);
});

for (const [name, ask] of [["pause", pause], ["resume", resume]] as const) {
  file.test(`${name}_job() does not see another user's job, nor one that never was, MR002`, async (db) => {
    const id = await insertJob(db);
    for (const unknown of [id, crypto.randomUUID()]) {
      await assert.rejects(as(db, "authenticated", BOB, (db) => ask(db, unknown)), {
        code: "MR002",
        message: `Cannot ${name} job as there is no job ${unknown}`,
      });
    }
    assert.deepEqual(await mailbox(db), []);
  });

  file.test(`${name}_job() refuses a job that has ended, MR007`, async (db) => {
    const id = await insertJob(db);
    await commit(db, [completionOf(await claimOne(db))]);
    await assert.rejects(as(db, "authenticated", ALICE, (db) => ask(db, id)), {
      code: "MR007",
      message: `Cannot ${name} job ${id} as it has ended`,
    });
  });

  for (const kick of [true, false]) {
    file.test(`${name}_job() leaves the kick to ${kick ? "the database" : "its caller"}`, async (db) => {
      await setSecrets(db);
      const id = await insertJob(db);
      await db`delete from net.http_request_queue`;
      await db`update millrace.pulse set last_kick_at = null`;
      const [row] = await as(
        db,
        "authenticated",
        ALICE,
        (db) => db`select public.${db(`${name}_job`)}(${id}, p_kick => ${kick}) as reply`,
      );
      assert.equal(row?.reply.kick, !kick);
      assert.equal((await queuedCalls(db)).length, kick ? 1 : 0);
    });
  }
}
