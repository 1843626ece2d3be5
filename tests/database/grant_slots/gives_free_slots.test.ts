import assert from "node:assert/strict";
import type { ClaimedJob, JobCommit } from "../../../supabase/functions/_shared/contracts/turn.ts";
import { awaitsChildren, startFamily } from "../../support/children.ts";
import type { TestDatabase } from "../../support/database.ts";
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
import { privateDatabase } from "../../support/private_database.ts";

const file = await privateDatabase();

const asks = (job: ClaimedJob, capacity: number | null = 1): JobCommit =>
  commitOf(job, { admission: { kind: "slot", key: "k", capacity } });

const inUse = async (db: TestDatabase) => (await db`select in_use from millrace.slots`)[0]?.in_use;

/** One job that holds the only slot of `k`, and that many that wait for it, oldest first. */
async function fullSlot(db: TestDatabase, waiting: number) {
  for (let n = 0; n <= waiting; n++) await insertJob(db);
  const [holder, ...others] = await claim(db, waiting + 1);
  if (!holder) assert.fail();
  await commit(db, [asks(holder), ...others.map((job) => asks(job))]);
  return { holder: { ...holder, version: holder.version + 1 }, waiting: others };
}

file.test("grant_slots() gives the slot of an ended job to the one that waits longest", async (db) => {
  const { holder, waiting: [first, second] } = await fullSlot(db, 2);
  if (!first || !second) assert.fail();
  await commit(db, [completionOf(holder)]);
  const row = await readJob(db, first.job_id);
  assert.deepEqual([row.held_slots, row.wanted_slot], [["k"], null]);
  assert.equal((await readJob(db, second.job_id)).wanted_slot, "k");
  assert.equal((await readJob(db, holder.job_id)).held_slots, null);
  assert.equal(await inUse(db), 1);
  const claimed = await claimOne(db);
  assert.deepEqual([claimed.job_id, claimed.held_slots], [first.job_id, ["k"]]);
});

file.test("grant_slots() gives slots by priority first", async (db) => {
  const { holder, waiting: [, second] } = await fullSlot(db, 2);
  await db`update public.jobs set priority = 6 where id = ${second?.job_id ?? ""}`;
  await commit(db, [completionOf(holder)]);
  assert.equal((await claimOne(db)).job_id, second?.job_id);
});

file.test("grant_slots() has the items of a map run one after the other, in order", async (db) => {
  const { parent, children } = await startFamily(db, 3, { max_running: 1 });
  for (const child of children) {
    const [job, ...others] = await claim(db);
    assert.deepEqual([job?.job_id, others.length], [child, 0]);
    if (job) await commit(db, [completionOf(job)]);
  }
  assert.equal((await claimOne(db)).job_id, parent);
  assert.equal(await inUse(db), 0);
});

file.test("grant_slots() frees no slot for a job that parks, and each for one that holds two", async (db) => {
  const { holder, waiting: [first] } = await fullSlot(db, 1);
  await commit(db, [commitOf(holder, { status: "waiting" })]);
  assert.equal((await readJob(db, first?.job_id ?? "")).wanted_slot, "k");
  await db`insert into millrace.slots (key, capacity, in_use) values ('a', 1, 1)`;
  await db`update public.jobs set held_slots = '{k,a}', next_run_at = now() - interval '1 day'
    where id = ${holder.job_id}`;
  await commit(db, [completionOf(await claimOne(db))]);
  const rows = await db`select key, in_use from millrace.slots order by key`;
  assert.deepEqual(rows.map(({ key, in_use }) => [key, in_use]), [["a", 0], ["k", 1]]);
});

file.test("grant_slots() frees nothing for an end that was lost", async (db) => {
  const { holder } = await fullSlot(db, 1);
  await commit(db, [completionOf(holder)], {}, OTHER_TOKEN);
  assert.equal(await inUse(db), 1);
  assert.deepEqual(await claim(db), []);
});

file.test("grant_slots() gives the slot of an ended job within the batch that ends it", async (db) => {
  const { parent } = await startFamily(db, 4, { max_running: 2 });
  const jobs = await claim(db);
  await commit(db, jobs.map((job) => completionOf(job)));
  assert.equal((await claim(db)).length, 2);
  assert.equal(await inUse(db), 2);
  assert.equal((await readJob(db, parent)).open_children, 2);
});

file.test("a waiting job that is told to end does so without a slot", async (db) => {
  const { parent } = await startFamily(db, 3, { max_running: 1 });
  const running = await claimOne(db);
  await db`update public.jobs set next_run_at = now() - interval '1 day' where id = ${parent}`;
  const job = await claimOne(db);
  await commit(db, [awaitsChildren(job, null, { max_failed_children: null })], {
    child_messages: [{ job_id: parent, kind: "cancel", reason: null }],
  });
  const told = await claim(db);
  assert.equal(told.length, 2);
  const error = { code: "cancelled", message: "enough", retryable: false, details: null };
  await commit(db, told.map((child) => commitOf(child, { status: "cancelled", error })));
  assert.equal(await inUse(db), 1);
  await commit(db, [commitOf(running, { status: "cancelled", error })]);
  assert.equal(await inUse(db), 0);
});

file.test("grant_slots() loses no slot where one is freed while another job asks for it", async (db) => {
  const { holder } = await fullSlot(db, 0);
  await insertJob(db);
  const job = await claimOne(db, OTHER_TOKEN);
  await using other = file.connect();
  await using watch = file.connect();
  const pid = await pidOf(other);
  const finish = await hold(db, (db) => commit(db, [completionOf(holder)]));
  const asking = commit(other, [asks(job)], {}, OTHER_TOKEN);
  await waitUntilBlocked(watch, pid);
  await finish();
  assert.equal((await asking).results[0]?.admitted, true);
  assert.equal(await inUse(db), 1);
});

file.test("grant_slots() sees a job that began to wait just before the slot was freed", async (db) => {
  const { holder } = await fullSlot(db, 0);
  await insertJob(db);
  const job = await claimOne(db, OTHER_TOKEN);
  await using other = file.connect();
  await using watch = file.connect();
  const pid = await pidOf(other);
  const finish = await hold(db, (db) => commit(db, [asks(job)], {}, OTHER_TOKEN));
  const ending = commit(other, [completionOf(holder)]);
  await waitUntilBlocked(watch, pid);
  await finish();
  await ending;
  const row = await readJob(db, job.job_id);
  assert.deepEqual([row.held_slots, row.wanted_slot, row.status], [["k"], null, "pending"]);
  assert.equal(await inUse(db), 1);
});

file.test("grant_slots() does not give one slot twice when two are freed at the same time", async (db) => {
  const { children } = await startFamily(db, 4, { max_running: 2 });
  const [first] = await claim(db, 1);
  const [second] = await claim(db, 1, OTHER_TOKEN);
  if (!first || !second) assert.fail();
  await using other = file.connect();
  await using watch = file.connect();
  const pid = await pidOf(other);
  const finish = await hold(db, (db) => commit(db, [completionOf(first)]));
  const ending = commit(other, [completionOf(second)], {}, OTHER_TOKEN);
  await waitUntilBlocked(watch, pid);
  await finish();
  await ending;
  assert.deepEqual((await claim(db)).map(({ job_id }) => job_id), children.slice(2));
  assert.equal(await inUse(db), 2);
});

file.test("grant_slots() passes over a job that somebody holds, and tick() makes up for it", async (db) => {
  const { holder, waiting: [first] } = await fullSlot(db, 1);
  const id = first?.job_id ?? "";
  await using other = file.connect();
  const release = await hold(
    other,
    (db) => db`select from public.jobs where id = ${id} for update`,
  );
  await commit(db, [completionOf(holder)]);
  assert.equal(await inUse(db), 0);
  await release();
  assert.deepEqual(await claim(db), []);
  await db`select public.tick()`;
  assert.equal((await claimOne(db)).job_id, id);
  assert.equal(await inUse(db), 1);
});

file.test("sweep_slots() gives what a raised limit has to give, key by key", async (db) => {
  const { waiting } = await fullSlot(db, 3);
  await db`update millrace.slots set capacity = 3`;
  const [row] = await db`select millrace.sweep_slots() as given`;
  assert.equal(row?.given, 2);
  assert.deepEqual(
    (await claim(db)).map(({ job_id }) => job_id),
    waiting.slice(0, 2).map(({ job_id }) => job_id),
  );
  assert.equal((await db`select millrace.sweep_slots() as given`)[0]?.given, 0);
});

file.test("release_deleted_job() frees the slots of a job that is deleted, for the next tick", async (db) => {
  const { holder, waiting: [first] } = await fullSlot(db, 1);
  await db`delete from public.jobs where id = ${holder.job_id}`;
  assert.equal(await inUse(db), 0);
  await db`select public.tick()`;
  assert.equal((await claimOne(db)).job_id, first?.job_id);
});

file.test("release_deleted_job() lets the slots of a map go with its job", async (db) => {
  const { parent } = await startFamily(db, 5, { max_running: 3 });
  await db`delete from public.jobs where id = ${parent}`;
  assert.equal((await db`select from millrace.slots`).count, 0);
  assert.equal((await db`select from public.jobs`).count, 0);
});
