import assert from "node:assert/strict";
import type { TestDatabase } from "../../support/database.ts";
import { claim, claimOne, commit, commitOf, insertJob, readJob } from "../../support/engine.ts";
import { privateDatabase } from "../../support/private_database.ts";
import { ALICE, BOB, stopClock } from "../../support/seed_database.ts";

const file = await privateDatabase();
const BEFORE = "2030-01-01T11:00:00Z";
const DUE = "2030-01-01T12:00:00Z";

const schedule = (db: TestDatabase, count: number, priority = 5) =>
  db`insert into public.jobs (user_id, workflow_id, run_at, priority)
    select ${ALICE}, 'one_step', ${DUE}, ${priority}::integer
    from generate_series(1, ${count}::integer)`;

file.test("claim_jobs() shares between users what falls due at its run_at and what is started now", async (db) => {
  await stopClock(db, BEFORE);
  await schedule(db, 500);
  await stopClock(db, DUE);
  for (let n = 0; n < 3; n++) await insertJob(db, { user_id: BOB });
  const jobs = await claim(db, 6);
  assert.deepEqual(jobs.filter(({ user_id }) => user_id === BOB).length, 3);
});

file.test("claim_jobs() takes scheduled jobs in the order of their times", async (db) => {
  await stopClock(db, BEFORE);
  const later = await insertJob(db, { run_at: "2030-01-01T11:59:59Z" });
  const sooner = await insertJob(db, { run_at: "2030-01-01T11:59:58Z" });
  const tomorrow = await insertJob(db, { run_at: "2030-01-02T12:00:00Z" });
  await stopClock(db, DUE);
  assert.deepEqual((await claim(db)).map(({ job_id }) => job_id), [sooner, later]);
  assert.equal((await readJob(db, tomorrow)).queue_place, null);
});

file.test("claim_jobs() has a message to a scheduled job not wait in the queue", async (db) => {
  await stopClock(db, DUE);
  for (let n = 0; n < 3; n++) await insertJob(db);
  const id = await insertJob(db, { run_at: "2030-01-02T12:00:00Z" });
  await db`insert into public.job_inbox (job_id, kind) values (${id}, 'cancel')`;
  assert.equal((await claimOne(db)).job_id, id);
});

file.test("claim_jobs() has a scheduled job keep its priority", async (db) => {
  await stopClock(db, BEFORE);
  await schedule(db, 1, 9);
  await stopClock(db, DUE);
  await insertJob(db);
  assert.deepEqual((await claim(db)).map(({ priority }) => priority), [9, 5]);
});

for (const columns of [{ held_slots: ["k"] }, { state: { not_before: DUE } }]) {
  file.test(`claim_jobs() has a scheduled job with ${Object.keys(columns)} go on without the queue`, async (db) => {
    await stopClock(db, BEFORE);
    const id = await insertJob(db, { run_at: DUE, ...columns });
    await stopClock(db, DUE);
    for (let n = 0; n < 3; n++) await insertJob(db);
    const [first, second] = await claim(db, 2);
    assert.ok([first, second].some((job) => job?.job_id === id));
    assert.equal((await readJob(db, id)).queue_place, null);
  });
}

file.test("commit_jobs() has a job not begin that a message woke before its run_at", async (db) => {
  await stopClock(db, BEFORE);
  const id = await insertJob(db, { run_at: DUE });
  await db`insert into public.job_inbox (job_id, kind) values (${id}, 'pause')`;
  const woken = await claimOne(db);
  await commit(db, [commitOf(woken, { status: "pending", next_run_at: DUE })]);
  assert.equal((await readJob(db, id)).started_at, null);
  await stopClock(db, DUE);
  await claimOne(db);
  const { started_at } = await readJob(db, id);
  assert.equal(started_at.toISOString(), "2030-01-01T12:00:00.000Z");
});
