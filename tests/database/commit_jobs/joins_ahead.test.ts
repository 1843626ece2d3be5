import assert from "node:assert/strict";
import type { ClaimedJob } from "../../../supabase/functions/_shared/contracts/turn.ts";
import { awaitsChildren, spawnOf } from "../../support/children.ts";
import type { TestDatabase } from "../../support/database.ts";
import {
  claim,
  claimOne,
  commit,
  commitOf,
  completionOf,
  insertJob,
  OTHER_TOKEN,
  readJob,
} from "../../support/engine.ts";
import { privateDatabase } from "../../support/private_database.ts";

const file = await privateDatabase();
const ERROR = { code: "broken", message: "it broke", retryable: false, details: null };

/** A parent that the caller still holds, and its children, of which somebody else may hold some. */
async function heldFamily(db: TestDatabase, count: number, elsewhere = 0, parent?: ClaimedJob) {
  if (parent === undefined) await insertJob(db, { priority: 9 });
  const job = parent ?? await claimOne(db);
  const held = { status: "running", next_run_at: "2099-01-01T00:00:00Z" } as const;
  await commit(db, [awaitsChildren(job, count, held)], { spawns: [spawnOf(job, count)] });
  const others = elsewhere === 0 ? [] : await claim(db, elsewhere, OTHER_TOKEN);
  const children = await claim(db, count - elsewhere);
  return { job: { ...job, version: job.version + 1 }, children, others };
}

const joins = (job: ClaimedJob, joined_failures: number) => ({
  ...completionOf(job),
  joined_failures,
});
const committed = async (reply: ReturnType<typeof commit>) =>
  (await reply).results.map((result) => result.committed);

file.test("commit_jobs() writes a parent's end with the ends that it was decided on", async (db) => {
  const { job, children: [a, b] } = await heldFamily(db, 2);
  if (!a || !b) assert.fail();
  const ends = [completionOf(a), commitOf(b, { status: "failed", error: ERROR }), joins(job, 1)];
  assert.deepEqual(await committed(commit(db, ends)), [true, true, true]);
  assert.equal((await readJob(db, job.job_id)).status, "completed");
});

file.test("commit_jobs() refuses a parent's end where a child has not ended", async (db) => {
  const { job, children: [a] } = await heldFamily(db, 2, 1);
  if (!a) assert.fail();
  assert.deepEqual(await committed(commit(db, [completionOf(a), joins(job, 0)])), [true, false]);
  const row = await readJob(db, job.job_id);
  assert.deepEqual([row.status, row.open_children], ["running", 1]);
});

file.test("commit_jobs() refuses a parent's end where a child has ended otherwise", async (db) => {
  const { job, children: [a], others: [b] } = await heldFamily(db, 2, 1);
  if (!a || !b) assert.fail();
  await commit(db, [commitOf(b, { status: "failed", error: ERROR })], {}, OTHER_TOKEN);
  assert.deepEqual(await committed(commit(db, [completionOf(a), joins(job, 0)])), [true, false]);
});

file.test("commit_jobs() refuses the join above a join that it refuses", async (db) => {
  const { job, children: [middle] } = await heldFamily(db, 1);
  if (!middle) assert.fail();
  const { job: inner, children: [leaf] } = await heldFamily(db, 2, 1, middle);
  if (!leaf) assert.fail();
  const ends = [joins(job, 0), joins(inner, 0), completionOf(leaf)];
  assert.deepEqual(await committed(commit(db, ends)), [false, false, true]);
});
