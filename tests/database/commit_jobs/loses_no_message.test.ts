import assert from "node:assert/strict";
import type { TestDatabase } from "../../support/database.ts";
import { privateDatabase } from "../../support/private_database.ts";
import {
  claim,
  claimOne,
  commit,
  commitOf,
  completionOf,
  hold,
  insertJob,
  OTHER_TOKEN,
  pidOf,
  readJob,
  waitUntilBlocked,
} from "../../support/engine.ts";
import { stopClock } from "../../support/seed_database.ts";

const file = await privateDatabase();
const NOW = "2030-01-01T12:00:00.000Z";
const LATER = "2030-01-01T13:00:00.000Z";

const send = (db: TestDatabase, job: string) =>
  db`insert into public.job_inbox (job_id, kind) values (${job}, 'cancel') returning id`;

file.test("commit_jobs() parks no job that a message came for before", async (db) => {
  await stopClock(db, NOW);
  const id = await insertJob(db);
  const job = await claimOne(db);
  await send(db, id);
  const reply = await commit(db, [commitOf(job, { status: "waiting", next_run_at: LATER })]);
  assert.deepEqual(reply.woken, []);
  const row = await readJob(db, id);
  assert.deepEqual([row.status, row.wake_requested], ["waiting", false]);
  assert.equal(row.next_run_at.toISOString(), NOW);
  assert.equal((await claimOne(db)).messages.length, 1);
});

file.test("commit_jobs() parks no job that a message is sent to while it waits for the row", async (db) => {
  const id = await insertJob(db);
  const job = await claimOne(db);
  await using sender = file.connect();
  await using watch = file.connect();
  const pid = await pidOf(db);
  const deliver = await hold(sender, (sender) => send(sender, id));
  const parking = commit(db, [commitOf(job, { status: "waiting", next_run_at: LATER })]);
  await waitUntilBlocked(watch, pid);
  await deliver();
  await parking;
  const row = await readJob(db, id);
  assert.ok(row.next_run_at <= new Date(), "the job must be due");
  assert.equal((await claimOne(db)).messages.length, 1);
});

file.test("wake_job() waits for a commit under way and wakes what it parked", async (db) => {
  await stopClock(db, NOW);
  const id = await insertJob(db);
  const job = await claimOne(db);
  await using sender = file.connect();
  await using watch = file.connect();
  const pid = await pidOf(sender);
  const park = { status: "waiting", next_run_at: LATER } as const;
  const finish = await hold(db, (db) => commit(db, [commitOf(job, park)]));
  const sending = send(sender, id).execute();
  await waitUntilBlocked(watch, pid);
  await finish();
  await sending;
  assert.equal((await readJob(db, id)).next_run_at.toISOString(), NOW);
  assert.equal((await claimOne(db)).messages.length, 1);
});

file.test("wake_job() refuses a message to a job that a commit under way ends", async (db) => {
  const id = await insertJob(db);
  const job = await claimOne(db);
  await using sender = file.connect();
  await using watch = file.connect();
  const pid = await pidOf(sender);
  const finish = await hold(db, (db) => commit(db, [completionOf(job)]));
  const refused = assert.rejects(send(sender, id), { code: "MR007" });
  await waitUntilBlocked(watch, pid);
  await finish();
  await refused;
  assert.equal((await readJob(db, id)).status, "completed");
});

file.test("wake_job() waits for a claim under way, which then has the job looked at again", async (db) => {
  const id = await insertJob(db);
  await using sender = file.connect();
  await using watch = file.connect();
  const pid = await pidOf(sender);
  let job: Awaited<ReturnType<typeof claimOne>> | undefined;
  const finish = await hold(db, async (db) => job = await claimOne(db));
  const sending = send(sender, id).execute();
  await waitUntilBlocked(watch, pid);
  await finish();
  await sending;
  if (!job) assert.fail();
  assert.deepEqual(job.messages, []);
  const row = await readJob(db, id);
  assert.deepEqual([row.wake_requested, row.status], [true, "running"]);
  const reply = await commit(db, [commitOf(job)]);
  assert.equal(reply.woken[0]?.messages.length, 1);
});

file.test("commit_jobs() brings the messages of a job that goes on until they are consumed", async (db) => {
  const id = await insertJob(db);
  const job = await claimOne(db);
  const [message] = await send(db, id);
  const news = [{
    job_id: id,
    messages: [{
      ...{ id: message?.id, kind: "cancel", step_id: null, visit: null, attempt: null },
      payload: {},
    }],
  }];
  assert.deepEqual((await commit(db, [commitOf(job)])).woken, news);
  const second = { ...job, version: job.version + 1 };
  const third = { ...job, version: job.version + 2 };
  assert.deepEqual((await commit(db, [commitOf(second)])).woken, news, "the answer may be lost");
  const consumed = [{ job_id: id, id: message?.id }];
  assert.deepEqual((await commit(db, [commitOf(third)], { consumed })).woken, []);
  assert.equal((await readJob(db, id)).wake_requested, false);
});

file.test("commit_jobs() parks a job until its time when it consumes its messages", async (db) => {
  const id = await insertJob(db);
  const job = await claimOne(db);
  const [message] = await send(db, id);
  const consumed = [{ job_id: id, id: message?.id }];
  await commit(db, [commitOf(job, { status: "waiting", next_run_at: LATER })], { consumed });
  const row = await readJob(db, id);
  assert.deepEqual([row.status, row.wake_requested], ["waiting", false]);
  assert.equal(row.next_run_at.toISOString(), LATER);
});

file.test("commit_jobs() ends a job that has messages: there is nothing to wake", async (db) => {
  const id = await insertJob(db);
  const job = await claimOne(db);
  await send(db, id);
  const reply = await commit(db, [completionOf(job)]);
  assert.deepEqual(reply.woken, []);
  const row = await readJob(db, id);
  assert.deepEqual([row.status, row.wake_requested, row.next_run_at], ["completed", false, null]);
});

file.test("commit_jobs() and claim_jobs() do not wait for each other's jobs", async (db) => {
  await insertJob(db);
  const job = await claimOne(db);
  await insertJob(db);
  await using other = file.connect();
  const finish = await hold(db, (db) => commit(db, [commitOf(job)]));
  assert.equal((await claim(other, 10, OTHER_TOKEN)).length, 1);
  await finish();
});
