import assert from "node:assert/strict";
import type { ClaimedJob, JobCommit } from "../../../supabase/functions/_shared/contracts/turn.ts";
import { awaitsChildren, spawnOf, startFamily } from "../../support/children.ts";
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
const ERROR = { code: "internal", message: "it broke", retryable: false, details: null };

const failure = (job: ClaimedJob, columns: Partial<JobCommit> = {}) =>
  commitOf(job, { status: "failed", error: ERROR, force: true, ...columns });

/** A parent that is held, with two children, of which nobody holds any. */
async function heldParent(db: TestDatabase): Promise<ClaimedJob> {
  await insertJob(db, { priority: 9 });
  const job = await claimOne(db);
  const held = { status: "running", next_run_at: "2099-01-01T00:00:00Z" } as const;
  await commit(db, [awaitsChildren(job, 2, held)], { spawns: [spawnOf(job, 2)] });
  return { ...job, version: job.version + 1 };
}

file.test("commit_jobs() has a forced failure wait until its children are cancelled", async (db) => {
  const job = await heldParent(db);
  const { results } = await commit(db, [failure(job, { state: { visit: 3 } })]);
  assert.deepEqual(results, [{ job_id: job.job_id, committed: true }]);
  const row = await readJob(db, job.job_id);
  assert.deepEqual([row.status, row.open_children, row.next_run_at], ["waiting", 2, null]);
  assert.deepEqual(row.state, { visit: 3, ending: { status: "failed", error: ERROR } });
  const children = await claim(db);
  assert.deepEqual(
    children.map(({ messages }) => messages.map(({ kind, payload }) => [kind, payload])),
    Array(2).fill([["cancel", { reason: "it broke" }]]),
  );
  await commit(db, children.map((child) => commitOf(child, { status: "cancelled" })));
  assert.equal((await claimOne(db)).job_id, job.job_id);
});

file.test("commit_jobs() makes a forced failure due that ends with its last children", async (db) => {
  const job = await heldParent(db);
  const children = await claim(db);
  await commit(db, [...children.map((child) => completionOf(child)), failure(job)]);
  const again = await claimOne(db);
  assert.deepEqual([again.job_id, again.open_children], [job.job_id, 0]);
  assert.deepEqual(again.state.ending, { status: "failed", error: ERROR });
});

file.test("commit_jobs() forces the failure of a job without children as any other", async (db) => {
  const { parent, children } = await startFamily(db, 1);
  const child = await claimOne(db);
  await commit(db, [failure(child)]);
  assert.equal((await readJob(db, children[0] ?? "")).status, "failed");
  assert.equal((await readJob(db, parent)).failed_children, 1);
});

file.test("commit_jobs() sends nobody a cancel for a forced failure that is not the caller's", async (db) => {
  const job = await heldParent(db);
  await commit(db, [failure(job)], {}, OTHER_TOKEN);
  assert.equal((await readJob(db, job.job_id)).status, "running");
  assert.equal((await db`select from public.job_inbox`).count, 0);
});
