import assert from "node:assert/strict";
import { privateDatabase } from "../../support/private_database.ts";
import {
  claim,
  claimOne,
  commit,
  commitOf,
  completionOf,
  insertJob,
  OTHER_TOKEN,
  readJob,
  stepRecord,
} from "../../support/engine.ts";
import type { TestDatabase } from "../../support/database.ts";
import { stopClock } from "../../support/seed_database.ts";
import type { ClaimedJob } from "../../../supabase/functions/_shared/contracts/turn.ts";

const file = await privateDatabase();

/** Everything that a commit may write besides the job. */
const partsOf = (job: ClaimedJob, message: number) => ({
  steps: [stepRecord(job)],
  events: [{ job_id: job.job_id, type: "redelivered", step_id: "a", data: {} }],
  consumed: [{ job_id: job.job_id, id: message }],
});

/** A claimed job with a message in its mailbox. */
async function claimWithMessage(db: TestDatabase): Promise<[job: ClaimedJob, message: number]> {
  const id = await insertJob(db);
  const [message] = await db`
    insert into public.job_inbox (job_id, kind) values (${id}, 'cancel') returning id`;
  return [await claimOne(db), message?.id];
}

const countAll = async (db: TestDatabase) => {
  const [row] = await db`select (select count(*) from public.job_steps) as steps,
    (select count(*) from public.job_events) as events,
    (select count(*) from public.job_inbox) as messages`;
  return [row?.steps, row?.events, row?.messages];
};

file.test("commit_jobs() writes nothing of a job whose lease another has taken", async (db) => {
  await stopClock(db, "2030-01-01T12:00:00Z");
  const [job, message] = await claimWithMessage(db);
  await stopClock(db, "2030-01-01T12:01:00Z");
  const taken = await claimOne(db, OTHER_TOKEN);
  const before = await readJob(db, job.job_id);
  const reply = await commit(db, [completionOf(job)], partsOf(job, message));
  assert.deepEqual(reply.results, [{ job_id: job.job_id, committed: false }]);
  assert.deepEqual(await readJob(db, job.job_id), before);
  assert.deepEqual(await countAll(db), [0, 0, 1]);
  // The new owner is not disturbed.
  const after = await commit(db, [completionOf(taken)], {}, OTHER_TOKEN);
  assert.equal(after.results[0]?.committed, true);
});

file.test("commit_jobs() writes nothing of a version that is not the current one", async (db) => {
  const [job, message] = await claimWithMessage(db);
  for (const version of [job.version - 1, job.version + 1]) {
    const reply = await commit(db, [completionOf({ ...job, version })], partsOf(job, message));
    // One behind under the same lease is what a commit that was applied looks like.
    assert.equal(reply.results[0]?.committed, version === job.version - 1);
  }
  assert.equal((await readJob(db, job.job_id)).status, "running");
  assert.deepEqual(await countAll(db), [0, 0, 1]);
});

file.test("commit_jobs() writes nothing for a caller who knows the version but has no lease", async (db) => {
  const [job, message] = await claimWithMessage(db);
  const reply = await commit(db, [completionOf(job)], partsOf(job, message), OTHER_TOKEN);
  assert.equal(reply.results[0]?.committed, false);
  assert.equal((await readJob(db, job.job_id)).status, "running");
  assert.deepEqual(await countAll(db), [0, 0, 1]);
});

file.test("commit_jobs() writes nothing of jobs that are gone or ended", async (db) => {
  const ended = await insertJob(db);
  const gone = await insertJob(db);
  const jobs = await claim(db);
  await db`delete from public.jobs where id = ${gone}`;
  await commit(db, jobs.filter(({ job_id }) => job_id === ended).map((job) => completionOf(job)));
  const reply = await commit(
    db,
    jobs.map((job) => commitOf(job)),
    { steps: jobs.map((job) => stepRecord(job)) },
  );
  assert.deepEqual(reply.results.map(({ committed }) => committed), [false, false]);
  assert.deepEqual(await countAll(db), [0, 0, 0]);
});

file.test("commit_jobs() writes the others of a batch with a lost one in it", async (db) => {
  await insertJob(db, { priority: 9 });
  await insertJob(db);
  const [kept, lost] = await claim(db);
  if (!kept || !lost) assert.fail();
  const reply = await commit(
    db,
    [completionOf(kept), completionOf({ ...lost, version: 99 })],
    { steps: [stepRecord(kept), stepRecord(lost)] },
  );
  assert.deepEqual(reply.results, [
    { job_id: kept.job_id, committed: true },
    { job_id: lost.job_id, committed: false },
  ]);
  const rows = await db`select job_id from public.job_steps`;
  assert.deepEqual(rows.map(({ job_id }) => job_id), [kept.job_id]);
});

file.test("commit_jobs() reports a commit that comes again as committed, and applies it once", async (db) => {
  const [job, message] = await claimWithMessage(db);
  const write = commitOf(job, { current_step_id: "b" });
  const first = await commit(db, [write], partsOf(job, message));
  const row = await readJob(db, job.job_id);
  const again = await commit(db, [write], partsOf(job, message));
  assert.deepEqual(again.results, first.results);
  assert.equal(again.results[0]?.committed, true);
  assert.deepEqual(await readJob(db, job.job_id), row);
  assert.deepEqual(await countAll(db), [1, 1, 0]);
});

file.test("commit_jobs() refuses an attempt that was recorded before, and all with it", async (db) => {
  const [job, message] = await claimWithMessage(db);
  await commit(db, [commitOf(job)], { steps: [stepRecord(job)] });
  const next = { ...job, version: job.version + 1 };
  await assert.rejects(commit(db, [completionOf(next)], partsOf(job, message)), {
    code: "23505",
    constraint_name: "job_steps_pk",
  });
  assert.equal((await readJob(db, job.job_id)).status, "running");
  assert.deepEqual(await countAll(db), [1, 0, 1]);
});

file.test("commit_jobs() refuses a state that cannot be, and writes nothing of the batch", async (db) => {
  await insertJob(db);
  await insertJob(db);
  const [a, b] = await claim(db);
  if (!a || !b) assert.fail();
  await assert.rejects(
    commit(db, [completionOf(a), commitOf(b, { status: "awaiting_retry" })]),
    { code: "23514", constraint_name: "jobs_schedule_matches_status" },
  );
  const rows = await db`select status, version from public.jobs`;
  assert.deepEqual(rows.map(({ status, version }) => [status, version]), [
    ["running", 2],
    ["running", 2],
  ]);
});

file.test("commit_jobs() does not take the same run's claim for an earlier application", async (db) => {
  const id = await insertJob(db);
  const lost = await claimOne(db);
  await db`update public.jobs set next_run_at = now() - interval '1 second' where id = ${id}`;
  await claimOne(db); // its answer never came
  const reply = await commit(db, [completionOf(lost, 1)]);
  assert.deepEqual(reply.results, [{ job_id: id, committed: false }]);
  assert.equal((await readJob(db, id)).status, "running");
});
