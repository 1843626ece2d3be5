import assert from "node:assert/strict";
import type { ClaimedJob, JobCommit } from "../../../supabase/functions/_shared/contracts/turn.ts";
import type { TestDatabase } from "../../support/database.ts";
import {
  claim,
  claimOne,
  commit,
  commitOf,
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
const NOON = Date.UTC(2030, 0, 1, 12);
const at = (seconds: number) => new Date(NOON + seconds * 1000).toISOString();

const asks = (job: ClaimedJob, max_starts = 2, per_seconds = 10): JobCommit =>
  commitOf(job, {
    state: { visit: 1 },
    admission: { kind: "start", key: "rate", max_starts, per_seconds },
  });

async function claimed(db: TestDatabase, count: number): Promise<ClaimedJob[]> {
  for (let n = 0; n < count; n++) await insertJob(db);
  return await claim(db, count);
}

/** Seconds after noon at which a job may start. */
const startOf = async (db: TestDatabase, { job_id }: ClaimedJob) =>
  (Date.parse((await readJob(db, job_id)).state.not_before) - NOON) / 1000;

/** Earliest first: jobs of the same age are given theirs in any order. */
async function startsOf(db: TestDatabase, jobs: ClaimedJob[]): Promise<number[]> {
  const starts = await Promise.all(jobs.map((job) => startOf(db, job)));
  return starts.toSorted((a, b) => a - b);
}

file.test("admit_to_start() admits what the rate allows, and gives the others a later time", async (db) => {
  await stopClock(db, at(0));
  const jobs = await claimed(db, 5);
  const { results } = await commit(db, jobs.map((job) => asks(job)));
  assert.deepEqual(await startsOf(db, jobs), [0, 0, 10, 10, 20]);
  for (const job of jobs) {
    const start = await startOf(db, job);
    const row = await readJob(db, job.job_id);
    const answer = results.find(({ job_id }) => job_id === job.job_id)?.admitted;
    assert.deepEqual([answer, row.status, row.state.visit], [
      ...(start === 0 ? [true, "running", 1] : [false, "pending", 1]),
    ]);
    assert.equal(row.next_run_at.toISOString(), at(start === 0 ? 30 : start));
  }
  await stopClock(db, at(10));
  const due = await claim(db, 10, OTHER_TOKEN);
  assert.equal(due.length, 2);
  assert.deepEqual(await startsOf(db, due), [10, 10]);
});

file.test("admit_to_start() keeps at most max_starts in any window, whenever they are asked for", async (db) => {
  const starts: number[] = [];
  // Uneven times: bursts, pauses, one by one.
  for (const [seconds, count] of [[0, 1], [4, 1], [5, 2], [13, 3], [14, 1], [60, 4], [61, 1]]) {
    await stopClock(db, at(seconds ?? 0));
    const jobs = await claimed(db, count ?? 0);
    await commit(db, jobs.map((job) => asks(job)));
    starts.push(...await startsOf(db, jobs));
    await db`update public.jobs set next_run_at = '2999-01-01' where status = 'pending'`;
  }
  assert.deepEqual(starts, [0, 4, 10, 14, 20, 24, 30, 34, 60, 60, 70, 70, 80]);
  for (let n = 2; n < starts.length; n++) {
    assert.ok((starts[n] ?? 0) - (starts[n - 2] ?? 0) >= 10, `three starts from ${starts[n - 2]}`);
  }
});

file.test("admit_to_start() forgets starts that no longer count", async (db) => {
  await stopClock(db, at(0));
  await commit(db, (await claimed(db, 2)).map((job) => asks(job)));
  await stopClock(db, at(100));
  await commit(db, (await claimed(db, 1)).map((job) => asks(job)));
  assert.equal((await db`select from millrace.rate_starts`).count, 1);
});

file.test("admit_to_start() counts each key by itself, and nothing for a commit that was lost", async (db) => {
  await stopClock(db, at(0));
  const [first, second, third] = await claimed(db, 3);
  if (!first || !second || !third) assert.fail();
  const other = commitOf(second, {
    admission: { kind: "start", key: "other", max_starts: 1, per_seconds: 10 },
  });
  const { results } = await commit(db, [asks(first, 1), other]);
  assert.deepEqual(results.map(({ admitted }) => admitted), [true, true]);
  await commit(db, [asks(third, 1)], {}, OTHER_TOKEN);
  assert.equal((await db`select from millrace.rate_starts`).count, 2);
});

file.test("admit_to_start() gives two batches at the same time no more than one would get", async (db) => {
  await stopClock(db, at(0));
  const [first, second] = await claimed(db, 2);
  await insertJob(db);
  const third = await claimOne(db, OTHER_TOKEN);
  if (!first || !second) assert.fail();
  await using connection = file.connect();
  await using watch = file.connect();
  const pid = await pidOf(connection);
  const finish = await hold(db, (db) => commit(db, [asks(first), asks(second)]));
  const asking = commit(connection, [asks(third)], {}, OTHER_TOKEN);
  await waitUntilBlocked(watch, pid);
  await finish();
  assert.equal((await asking).results[0]?.admitted, false);
  assert.deepEqual(await startsOf(db, [third]), [10]);
});

file.test("commit_jobs() gives back the start of a job that ends before it, not one that was made", async (db) => {
  await stopClock(db, at(0));
  const jobs = await claimed(db, 3);
  await commit(db, jobs.map((job) => asks(job, 1)));
  assert.deepEqual(await startsOf(db, jobs), [0, 10, 20]);
  await db`insert into public.job_inbox (job_id, kind)
    select id, 'cancel' from public.jobs where status = 'pending'`;
  const rows = await Promise.all(jobs.map(({ job_id }) => readJob(db, job_id)));
  const running = rows.findIndex(({ status }) => status === "running");
  const [started, state] = [jobs[running], rows[running]?.state];
  if (!started) assert.fail();
  const cancelled = await claim(db);
  await commit(db, [
    commitOf({ ...started, version: started.version + 1 }, {
      ...{ status: "completed", final_result: {}, state },
    }),
    ...cancelled.map((job) => commitOf(job, { status: "cancelled", state: job.state })),
  ]);
  const left = await db`select starts_at from millrace.rate_starts`;
  assert.deepEqual(left.map(({ starts_at }) => starts_at), [new Date(at(0))]);
  const next = await claimed(db, 1);
  await commit(db, next.map((job) => asks(job, 1)));
  assert.deepEqual(await startsOf(db, next), [10]);
});
