import assert from "node:assert/strict";
import type { TestDatabase } from "../../support/database.ts";
import { privateDatabase } from "../../support/private_database.ts";
import {
  claim,
  commit,
  commitOf,
  hold,
  insertJob,
  pidOf,
  waitUntilBlocked,
} from "../../support/engine.ts";
import type { ClaimedJob } from "../../../supabase/functions/_shared/contracts/turn.ts";

const file = await privateDatabase();

const lock = (db: TestDatabase, job: ClaimedJob) =>
  db`select from public.jobs where id = ${job.job_id} for update nowait`;

// Whoever locks in another order than others can deadlock with them.
file.test("commit_jobs() locks its jobs in the order of their ids", async (db) => {
  for (let i = 0; i < 3; i++) await insertJob(db);
  const jobs = (await claim(db)).toSorted((a, b) => a.job_id < b.job_id ? 1 : -1);
  const [last, middle, first] = jobs;
  if (!last || !middle || !first) assert.fail();
  await using other = file.connect();
  await using watch = file.connect();
  const pid = await pidOf(db);
  const release = await hold(other, (other) => lock(other, middle));
  const running = commit(db, jobs.map((job) => commitOf(job)));
  await waitUntilBlocked(watch, pid);
  await lock(watch, last); // not taken yet
  await assert.rejects(lock(watch, first), { code: "55P03" });
  await release();
  await running;
});
