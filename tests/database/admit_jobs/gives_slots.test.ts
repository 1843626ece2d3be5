import assert from "node:assert/strict";
import type { ClaimedJob, JobCommit } from "../../../supabase/functions/_shared/contracts/turn.ts";
import type { TestDatabase } from "../../support/database.ts";
import {
  claim,
  claimOne,
  commit,
  commitOf,
  insertJob,
  OTHER_TOKEN,
  readJob,
  TOKEN,
} from "../../support/engine.ts";
import { privateDatabase } from "../../support/private_database.ts";

const file = await privateDatabase();

const asks = (job: ClaimedJob, capacity: number | null, key = "k"): JobCommit =>
  commitOf(job, { admission: { kind: "slot", key, capacity } });

async function claimed(db: TestDatabase, count: number): Promise<ClaimedJob[]> {
  for (let n = 0; n < count; n++) await insertJob(db);
  return await claim(db, count);
}

const slot = async (db: TestDatabase) => {
  const [row] = await db`select capacity, in_use from millrace.slots where key = 'k'`;
  return [row?.capacity, row?.in_use];
};

file.test("admit_to_slots() gives as many slots as there are, by priority and age", async (db) => {
  const jobs = await claimed(db, 4);
  const [first, second, third, fourth] = jobs;
  if (!first || !second || !third || !fourth) assert.fail();
  await db`update public.jobs set priority = 6 where id = ${fourth.job_id}`;
  const reply = await commit(db, jobs.toReversed().map((job) => asks(job, 2)));
  assert.deepEqual(
    new Map(reply.results.map(({ job_id, admitted }) => [job_id, admitted])),
    new Map([
      [fourth.job_id, true],
      [third.job_id, false],
      [second.job_id, false],
      [first.job_id, true],
    ]),
  );
  assert.ok(reply.results.every(({ committed }) => committed));
  assert.deepEqual(await slot(db), [2, 2]);
  const going = await readJob(db, first.job_id);
  assert.deepEqual([going.status, going.held_slots, going.lease_token], [
    ...["running", ["k"], TOKEN],
  ]);
  const parked = await readJob(db, second.job_id);
  assert.deepEqual(
    [parked.status, parked.wanted_slot, parked.held_slots, parked.next_run_at, parked.lease_token],
    ["pending", "k", null, null, null],
  );
  assert.equal(parked.started_at, null, "what has not begun has no start");
  assert.notEqual(going.started_at, null);
});

file.test("admit_to_slots() says nothing of admission where none was asked for", async (db) => {
  const [first, second] = await claimed(db, 2);
  if (!first || !second) assert.fail();
  const { results } = await commit(db, [commitOf(first), asks(second, 1)]);
  assert.deepEqual(results.map(({ admitted }) => admitted), [undefined, true]);
});

file.test("admit_to_slots() asks nothing of a job that has the slot, or whose parent has", async (db) => {
  const [holder, heir] = await claimed(db, 2);
  if (!holder || !heir) assert.fail();
  await commit(db, [asks(holder, 1)]);
  await db`update public.jobs set inherited_slots = '{k}' where id = ${heir.job_id}`;
  const { results } = await commit(db, [asks({ ...holder, version: 3 }, 1), asks(heir, 1)]);
  assert.deepEqual(results.map(({ admitted }) => admitted), [true, true]);
  assert.deepEqual(await slot(db), [1, 1]);
  assert.equal((await readJob(db, heir.job_id)).held_slots, null);
});

file.test("admit_to_slots() takes the capacity that a commit says, and else what there is", async (db) => {
  const [first, second, third] = await claimed(db, 3);
  if (!first || !second || !third) assert.fail();
  await commit(db, [asks(first, 5)]);
  assert.deepEqual(await slot(db), [5, 1]);
  await commit(db, [asks(second, null)]);
  assert.deepEqual(await slot(db), [5, 2]);
  const { results } = await commit(db, [asks(third, 2)]);
  assert.deepEqual(await slot(db), [2, 2]);
  assert.equal(results[0]?.admitted, false);
});

file.test("admit_to_slots() gives nothing to a commit that was lost", async (db) => {
  const [job] = await claimed(db, 1);
  if (!job) assert.fail();
  const { results } = await commit(db, [asks(job, 1)], {}, OTHER_TOKEN);
  assert.deepEqual(results, [{ job_id: job.job_id, committed: false, admitted: false }]);
  assert.deepEqual((await slot(db))[1] ?? 0, 0);
});

file.test("admit_to_slots() answers the same to a commit that comes again, and counts it once", async (db) => {
  const [job] = await claimed(db, 1);
  if (!job) assert.fail();
  const first = await commit(db, [asks(job, 1)]);
  const again = await commit(db, [asks(job, 1)]);
  assert.deepEqual(again.results, first.results);
  assert.deepEqual(await slot(db), [1, 1]);
});

file.test("admit_to_slots() lets a message through to a job that waits for a slot", async (db) => {
  const [first, second] = await claimed(db, 2);
  if (!first || !second) assert.fail();
  await commit(db, [asks(first, 1), asks(second, 1)]);
  await db`insert into public.job_inbox (job_id, kind) values (${second.job_id}, 'cancel')`;
  const woken = await claimOne(db);
  assert.deepEqual([woken.job_id, woken.messages.length], [second.job_id, 1]);
  assert.equal((await readJob(db, second.job_id)).wanted_slot, null);
});

file.test("admit_to_slots() parks no job that a message came for before", async (db) => {
  const [first, second] = await claimed(db, 2);
  if (!first || !second) assert.fail();
  await db`insert into public.job_inbox (job_id, kind) values (${second.job_id}, 'cancel')`;
  await commit(db, [asks(first, 1), asks(second, 1)]);
  assert.deepEqual((await claimOne(db)).messages.map(({ kind }) => kind), ["cancel"]);
});

file.test("admit_jobs() has the time limit of a job go on while it waits for a slot", async (db) => {
  const deadline_at = new Date("2099-01-01T00:00:00.000Z");
  const admission = { kind: "slot", key: "k", capacity: 1 } as const;
  await insertJob(db);
  await insertJob(db, { deadline_at });
  const jobs = await claim(db);
  await commit(db, jobs.map((job) => commitOf(job, { admission })));
  const [row] = await db`select next_run_at from public.jobs where wanted_slot = 'k'`;
  assert.deepEqual(row?.next_run_at, deadline_at);
});
