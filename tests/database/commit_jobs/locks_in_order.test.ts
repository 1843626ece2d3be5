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
  TOKEN,
  waitUntilBlocked,
} from "../../support/engine.ts";
import type { ClaimedJob } from "../../../supabase/functions/_shared/contracts/turn.ts";

const file = await privateDatabase();

/** What locks a batch of jobs, given in the opposite order of their ids. */
const BATCHES: Record<string, (db: TestDatabase, jobs: ClaimedJob[]) => Promise<unknown>> = {
  "commit_jobs()": (db, jobs) => commit(db, jobs.map((job) => commitOf(job))),
  "extend_leases()": async (db, jobs) =>
    await db`select public.extend_leases(${TOKEN}, ${jobs.map(({ job_id }) => job_id)}::uuid[])`,
};

const lock = (db: TestDatabase, job: ClaimedJob) =>
  db`select from public.jobs where id = ${job.job_id} for update nowait`;

for (const [name, run] of Object.entries(BATCHES)) {
  // Whoever locks in another order than others can deadlock with them.
  file.test(`${name} locks its jobs in the order of their ids`, async (db) => {
    for (let i = 0; i < 3; i++) await insertJob(db);
    const jobs = (await claim(db)).toSorted((a, b) => a.job_id < b.job_id ? 1 : -1);
    const [last, middle, first] = jobs;
    if (!last || !middle || !first) assert.fail();
    await using other = file.connect();
    await using watch = file.connect();
    const pid = await pidOf(db);
    const release = await hold(other, (other) => lock(other, middle));
    const running = run(db, jobs);
    await waitUntilBlocked(watch, pid);
    await lock(watch, last); // not taken yet
    await assert.rejects(lock(watch, first), { code: "55P03" });
    await release();
    await running;
  });
}
