import assert from "node:assert/strict";
import { privateDatabase } from "../../support/private_database.ts";
import { claimOne, commit, commitOf, insertJob, readJob } from "../../support/engine.ts";
import { stopClock } from "../../support/seed_database.ts";

const file = await privateDatabase();
const ERROR = { code: "timeout", message: "too slow", retryable: true };

file.test("record_job_transition() writes one entry per change of status", async (db) => {
  const id = await insertJob(db);
  let job = await claimOne(db);
  await commit(db, [commitOf(job)]); // goes on: no transition
  const retry = { next_run_at: "2020-01-01T00:00:00Z", next_retry_at: "2020-01-01T00:00:00Z" };
  await commit(db, [
    commitOf({ ...job, version: job.version + 1 }, { status: "awaiting_retry", ...retry }),
  ]);
  job = await claimOne(db);
  await commit(db, [commitOf(job, { status: "failed", error: ERROR })]);
  const { state_history, completed_at } = await readJob(db, id);
  assert.deepEqual(
    state_history.map(({ at: _, ...entry }: Record<string, unknown>) => entry),
    [
      { from: null, to: "pending" },
      { from: "pending", to: "running", step_id: "a" },
      { from: "running", to: "awaiting_retry", step_id: "a" },
      { from: "awaiting_retry", to: "running", step_id: "a" },
      { from: "running", to: "failed", step_id: "a", error: "timeout" },
    ],
  );
  assert.equal(new Date(state_history.at(-1).at).getTime(), completed_at.getTime());
});

file.test("record_job_transition() keeps the first entry and the last 99", async (db) => {
  const id = await insertJob(db);
  for (let i = 0; i < 60; i++) {
    const job = await claimOne(db);
    await commit(db, [commitOf(job, { status: "waiting", next_run_at: "2020-01-01T00:00:00Z" })]);
  }
  const { state_history } = await readJob(db, id);
  assert.equal(state_history.length, 100);
  assert.equal(state_history[0].from, null);
  assert.deepEqual(
    state_history.slice(-2).map(({ to }: { to: string }) => to),
    ["running", "waiting"],
  );
  const times = state_history.map(({ at }: { at: string }) => Date.parse(at));
  assert.deepEqual(times, times.toSorted((a: number, b: number) => a - b));
});

file.test("touch_last_updated_at() sets the time of updates that do not", async (db) => {
  const id = await insertJob(db);
  await stopClock(db, "2031-01-01T00:00:00Z");
  await db`update public.jobs set metadata = '{"a": 1}' where id = ${id}`;
  assert.equal(
    (await readJob(db, id)).last_updated_at.toISOString(),
    "2031-01-01T00:00:00.000Z",
  );
});
