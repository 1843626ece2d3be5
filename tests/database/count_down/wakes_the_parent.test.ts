import assert from "node:assert/strict";
import type { ClaimedJob } from "../../../supabase/functions/_shared/contracts/turn.ts";
import { awaitsChildren, spawnOf, startFamily } from "../../support/children.ts";
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
import { stopClock } from "../../support/seed_database.ts";

const file = await privateDatabase();
const NOW = "2030-01-01T12:00:00.000Z";
const LATER = "2030-01-01T13:00:00.000Z";
const ERROR = { code: "broken", message: "it broke", retryable: false, details: null };

const failureOf = (job: ClaimedJob) =>
  commitOf(job, { status: "failed", error: ERROR, final_result: null });

const counts = async (db: TestDatabase, id: string) => {
  const { open_children, failed_children, next_run_at } = await readJob(db, id);
  return [open_children, failed_children, next_run_at?.toISOString() ?? null];
};

file.test("count_down() wakes a waiting parent with the last child, not before", async (db) => {
  await stopClock(db, NOW);
  const { parent } = await startFamily(db, 2);
  const [first, second] = await claim(db);
  if (!first || !second) assert.fail();
  await commit(db, [completionOf(first)]);
  assert.deepEqual(await counts(db, parent), [1, 0, null]);
  await commit(db, [completionOf(second)]);
  assert.deepEqual(await counts(db, parent), [0, 0, NOW]);
});

file.test("count_down() hands over how the children ended, in their order", async (db) => {
  await startFamily(db, 3);
  const [first, second, third] = await claim(db);
  if (!first || !second || !third) assert.fail();
  await db`update public.jobs set max_failed_children = null where id = ${first.parent_job_id}`;
  await commit(db, [completionOf(third, 0)]);
  await commit(db, [failureOf(second), completionOf(first, null)]);
  const parent = await claimOne(db);
  assert.deepEqual([parent.open_children, parent.failed_children], [0, 1]);
  assert.deepEqual(parent.children, [
    { job_id: first.job_id, index: 0, status: "completed", result: null, error: null },
    { job_id: second.job_id, index: 1, status: "failed", result: null, error: ERROR },
    { job_id: third.job_id, index: 2, status: "completed", result: 0, error: null },
  ]);
});

file.test("count_down() wakes a parent with one failure too many, and tells of the failed ones only", async (db) => {
  await stopClock(db, NOW);
  const { parent } = await startFamily(db, 4);
  await db`update public.jobs set max_failed_children = 1 where id = ${parent}`;
  const [first, second, third] = await claim(db);
  if (!first || !second || !third) assert.fail();
  await commit(db, [failureOf(first), completionOf(second)]);
  assert.deepEqual(await counts(db, parent), [2, 1, null]);
  await commit(db, [commitOf(third, { status: "cancelled", error: ERROR })]);
  assert.deepEqual(await counts(db, parent), [1, 2, NOW]);
  const woken = await claimOne(db);
  assert.deepEqual(woken.children?.map(({ index, status }) => [index, status]), [
    [0, "failed"],
    [2, "cancelled"],
  ]);
});

file.test("count_down() never wakes early a parent that has said so", async (db) => {
  const { parent } = await startFamily(db, 2);
  await db`update public.jobs set max_failed_children = null where id = ${parent}`;
  const [first] = await claim(db);
  if (!first) assert.fail();
  await commit(db, [failureOf(first)]);
  assert.deepEqual(await counts(db, parent), [1, 1, null]);
});

file.test("count_down() leaves a parent that is leased, and parking sees the counts", async (db) => {
  await stopClock(db, NOW);
  const { parent } = await startFamily(db, 2, { lease: true });
  await db`update public.jobs set next_run_at = ${NOW} where id = ${parent}`;
  const job = await claimOne(db, OTHER_TOKEN);
  const rows = await db`select id, version from public.jobs where parent_job_id = ${parent}`;
  const ends = rows.map(({ id, version }) =>
    completionOf({ ...job, job_id: id, version: Number(version) })
  );
  await commit(db, ends);
  assert.deepEqual(await counts(db, parent), [0, 0, "2030-01-01T12:00:30.000Z"]);
  await commit(db, [awaitsChildren(job, null, { next_run_at: LATER })], {}, OTHER_TOKEN);
  assert.deepEqual(await counts(db, parent), [0, 0, NOW]);
});

file.test("commit_jobs() parks a parent as it wishes while a child is open", async (db) => {
  await stopClock(db, NOW);
  const { parent } = await startFamily(db, 1);
  await db`update public.jobs set next_run_at = ${NOW} where id = ${parent}`;
  const job = await claimOne(db);
  assert.equal(job.job_id, parent);
  await commit(db, [awaitsChildren(job, null, { next_run_at: LATER })]);
  assert.deepEqual(await counts(db, parent), [1, 0, LATER]);
});

file.test("commit_jobs() parks no parent where too many have failed while it was leased", async (db) => {
  await stopClock(db, NOW);
  const { parent } = await startFamily(db, 2);
  const [first] = await claim(db, 1);
  if (!first) assert.fail();
  await db`update public.jobs set next_run_at = ${NOW} where id = ${parent}`;
  const job = await claimOne(db, OTHER_TOKEN);
  await commit(db, [failureOf(first)]);
  await commit(
    db,
    [awaitsChildren(job, null, { max_failed_children: 1, next_run_at: LATER })],
    {},
    OTHER_TOKEN,
  );
  assert.deepEqual(await counts(db, parent), [1, 1, LATER]);
  await db`update public.jobs set next_run_at = ${NOW} where id = ${parent}`;
  const again = await claimOne(db, OTHER_TOKEN);
  await commit(db, [awaitsChildren(again, null, { next_run_at: LATER })], {}, OTHER_TOKEN);
  assert.deepEqual(await counts(db, parent), [1, 1, NOW]);
});

file.test("commit_jobs() ends a parent in the same batch as its last child", async (db) => {
  const { parent } = await startFamily(db, 1);
  await db`update public.jobs set next_run_at = now() where id = ${parent}`;
  const jobs = await claim(db);
  assert.equal(jobs.length, 2);
  const reply = await commit(db, jobs.map((job) => completionOf(job)));
  assert.deepEqual(reply.results.map(({ committed }) => committed), [true, true]);
  assert.equal((await readJob(db, parent)).status, "completed");
});

file.test("commit_jobs() refuses the end of a parent that has open children", async (db) => {
  const { parent } = await startFamily(db, 1);
  await db`update public.jobs set next_run_at = now() where id = ${parent}`;
  const job = await claimOne(db);
  await assert.rejects(commit(db, [completionOf(job)]), {
    constraint_name: "jobs_ended_has_no_open_children",
  });
});

file.test("count_down() counts no end that was not committed, and none twice", async (db) => {
  const { parent } = await startFamily(db, 2);
  const [first] = await claim(db, 1);
  if (!first) assert.fail();
  await commit(db, [completionOf(first)], {}, OTHER_TOKEN);
  assert.deepEqual(await counts(db, parent), [2, 0, null]);
  await commit(db, [completionOf(first)]);
  await commit(db, [completionOf(first)]);
  assert.deepEqual(await counts(db, parent), [1, 0, null]);
});

file.test("count_down() starts anew with the children of the next visit", async (db) => {
  const { parent } = await startFamily(db, 1);
  await commit(db, [failureOf(await claimOne(db))]);
  const job = await claimOne(db);
  await commit(db, [awaitsChildren(job, 2)], { spawns: [spawnOf(job, 2, { visit: 2 })] });
  assert.deepEqual(await counts(db, parent), [2, 0, null]);
});

file.test("count_down() wakes a parent once when its last two children end at the same time", async (db) => {
  await stopClock(db, NOW);
  const { parent } = await startFamily(db, 2);
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
  assert.equal((await ending).results[0]?.committed, true);
  assert.deepEqual(await counts(db, parent), [0, 0, NOW]);
  const [woken, ...others] = await claim(db);
  assert.deepEqual([woken?.job_id, woken?.children?.length, others.length], [parent, 2, 0]);
  assert.deepEqual(await claim(watch), []);
});

file.test("count_down() misses no parent that parks while its last child ends", async (db) => {
  await stopClock(db, NOW);
  await insertJob(db);
  const job = await claimOne(db);
  const { claimed: [child] } = await commit(
    db,
    [awaitsChildren(job, 1, { status: "running" })],
    { spawns: [spawnOf(job, 1, { lease: true })] },
  );
  if (!child) assert.fail();
  await using other = file.connect();
  await using watch = file.connect();
  const pid = await pidOf(other);
  const parked = awaitsChildren({ ...job, version: job.version + 1 }, null);
  const finish = await hold(db, (db) => commit(db, [parked]));
  const ending = commit(other, [completionOf(child)]);
  await waitUntilBlocked(watch, pid);
  await finish();
  await ending;
  assert.deepEqual(await counts(db, job.job_id), [0, 0, NOW]);
});

file.test("release_deleted_job() counts an open child that is deleted as failed", async (db) => {
  await stopClock(db, NOW);
  const { parent, children } = await startFamily(db, 2);
  await db`delete from public.jobs where id = ${children[0] ?? ""}`;
  assert.deepEqual(await counts(db, parent), [1, 1, NOW]);
  await db`delete from public.jobs where id = ${children[1] ?? ""}`;
  assert.deepEqual(await counts(db, parent), [0, 2, NOW]);
});

file.test("release_deleted_job() does not count a child that had ended", async (db) => {
  const { parent } = await startFamily(db, 2);
  const job = await claimOne(db);
  await commit(db, [completionOf(job)]);
  await db`delete from public.jobs where id = ${job.job_id}`;
  assert.deepEqual(await counts(db, parent), [1, 0, null]);
});
