import assert from "node:assert/strict";
import type { TestDatabase } from "../../support/database.ts";
import { privateDatabase } from "../../support/private_database.ts";
import { as, claim, insertJob, TOKEN } from "../../support/engine.ts";
import { ALICE, stopClock } from "../../support/seed_database.ts";

const file = await privateDatabase();
const NOW = "2030-01-01T12:00:00Z";

/** Jobs named by their metadata. */
const add = (db: TestDatabase, name: string, columns: Record<string, unknown>) =>
  insertJob(db, { metadata: { name }, ...columns });

const names = async (db: TestDatabase, ids: { job_id: string }[]) => {
  const rows = await db`select id, metadata ->> 'name' as name from public.jobs`;
  const byId = new Map(rows.map(({ id, name }) => [id, name]));
  return ids.map(({ job_id }) => byId.get(job_id));
};

file.test("claim_jobs() takes higher priorities first, then what was started first", async (db) => {
  await stopClock(db, NOW);
  await add(db, "low", { priority: 0 });
  await add(db, "first", {});
  await add(db, "second", {});
  await add(db, "high", { priority: 9 });
  assert.deepEqual(await names(db, await claim(db, 3)), ["high", "first", "second"]);
  assert.deepEqual(await names(db, await claim(db, 3)), ["low"]);
});

file.test("claim_jobs() leaves what is not due, also where its priority is higher", async (db) => {
  await stopClock(db, NOW);
  await add(db, "future", { priority: 9, run_at: "2030-01-01T12:00:01Z" });
  await add(db, "due", { priority: 1, run_at: NOW });
  assert.deepEqual(await names(db, await claim(db)), ["due"]);
  await stopClock(db, "2030-01-01T12:00:01Z");
  assert.deepEqual(await names(db, await claim(db)), ["future"]);
});

file.test("claim_jobs() leaves jobs that have ended, are paused or wait for the outside", async (db) => {
  await add(db, "ended", { status: "completed", completed_at: NOW });
  const paused = await add(db, "paused", { status: "paused" });
  const waiting = await add(db, "waiting", { status: "waiting" });
  await db`update public.jobs set next_run_at = null where id in (${paused}, ${waiting})`;
  assert.deepEqual(await claim(db), []);
});

file.test("claim_jobs() takes retries and timers that are due", async (db) => {
  await stopClock(db, NOW);
  const at = "2030-01-01T11:00:00Z";
  await add(db, "retry", { status: "awaiting_retry", next_run_at: at, next_retry_at: at });
  await add(db, "timer", { status: "waiting", next_run_at: "2030-01-01T11:30:00Z" });
  assert.deepEqual(await names(db, await claim(db)), ["retry", "timer"]);
  const rows = await db`select status, next_retry_at from public.jobs`;
  assert.deepEqual(rows.map(({ status, next_retry_at }) => [status, next_retry_at]), [
    ["running", null],
    ["running", null],
  ]);
});

file.test("claim_jobs() takes no more than it is asked for", async (db) => {
  for (let i = 0; i < 4; i++) await insertJob(db, { priority: i });
  assert.equal((await claim(db, 0)).length, 0);
  assert.equal((await claim(db, 3)).length, 3);
  const [left] = await db`select count(*) from public.jobs where lease_token is null`;
  assert.equal(left?.count, 1);
});

file.test("claim_jobs() refuses a limit out of range with MR008", async (db) => {
  for (const limit of [-1, 10_001, null]) {
    await assert.rejects(db`select public.claim_jobs(${TOKEN}, ${limit})`, {
      code: "MR008",
      message: "Cannot claim jobs as p_limit must be between 0 and 10000: current value is " +
        (limit ?? "<NULL>"),
    });
  }
});

file.test("claim_jobs() works for the service role", async (db) => {
  await insertJob(db);
  const jobs = await as(db, "service_role", null, (db) => claim(db));
  assert.deepEqual(jobs.map(({ user_id }) => user_id), [ALICE]);
});

file.test("claim_jobs() leaves a job that was made after it began to the next claim", async (db) => {
  await stopClock(db, NOW);
  await add(db, "later", {});
  await db`update public.jobs set created_at = created_at + interval '1 millisecond',
    next_run_at = next_run_at + interval '1 millisecond'`;
  const [row] = await db`select queue_place is not null as queued from public.jobs`;
  assert.equal(row?.["queued"], true);
  assert.deepEqual(await claim(db), []);
  await stopClock(db, "2030-01-01T12:00:00.001Z");
  assert.equal((await claim(db)).length, 1);
});
