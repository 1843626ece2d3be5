import assert from "node:assert/strict";
import type { TestDatabase } from "../../support/database.ts";
import { privateDatabase } from "../../support/private_database.ts";
import { as, insertJob, TOKEN } from "../../support/engine.ts";
import { stopClock } from "../../support/seed_database.ts";

const file = await privateDatabase();
const NOW = Date.parse("2030-01-08T12:00:00Z");
/** So many seconds before now. */
const ago = (seconds: number) => new Date(NOW - seconds * 1000).toISOString();
const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;

/** A view's rows, as the service role reads it. */
const read = (db: TestDatabase, view: string, order: string) =>
  as(
    db,
    "service_role",
    null,
    async (db) =>
      [...await db.unsafe(`select * from public.${view} order by ${order}`)].map((row) => ({
        ...row,
      })),
  );

/** A job that was queued for two seconds, ran for so many and ended so long ago. */
const addEnded = (db: TestDatabase, status: string, ended: number, duration = 1, more = {}) =>
  insertJob(db, {
    status,
    created_at: ago(ended + duration + 2),
    started_at: ago(ended + duration),
    completed_at: ago(ended),
    current_step_id: "a",
    ...(status === "failed"
      ? { error: { code: "timeout", message: "m" }, error_message: "m" }
      : {}),
    ...more,
  });

const addAttempt = (
  db: TestDatabase,
  job: string,
  attempt: number,
  status: string,
  columns: Record<string, unknown> = {},
) => {
  const row = {
    job_id: job,
    step_id: "a",
    visit: 1,
    attempt,
    status,
    transformer_id: "echo",
    started_at: ago(20),
    ended_at: ago(10),
    ...(status === "failed" ? { error: { code: "http_5xx", message: "m" } } : {}),
    ...columns,
  };
  return db`insert into public.job_steps ${db(row as never)}`;
};

/** A job that was started so long ago and has not got its slot. */
const addWaitingForSlot = async (db: TestDatabase, key: string, created: number) => {
  const id = await insertJob(db, { wanted_slot: key, created_at: ago(created) });
  await db`update public.jobs set next_run_at = null where id = ${id}`;
};

/** What makes a job a child of step `each` of another. */
const childOf = (parent: string) => ({
  parent_job_id: parent,
  parent_step_id: "each",
  parent_visit: 1,
  root_job_id: parent,
  depth: 1,
  workflow_version: 1,
});

file.test("workflow_metrics: counts, rates and durations by period", async (db) => {
  await stopClock(db, ago(0));
  for (let seconds = 1; seconds <= 100; seconds++) {
    await addEnded(db, "completed", MINUTE, seconds);
  }
  for (let i = 0; i < 20; i++) await addEnded(db, "failed", MINUTE, 1000);
  for (let i = 0; i < 5; i++) await addEnded(db, "cancelled", MINUTE, 1000);
  await addEnded(db, "failed", 2 * HOUR);
  await addEnded(db, "completed", 2 * DAY, 7);
  await addEnded(db, "completed", 8 * DAY);
  await insertJob(db);
  const rows = await read(db, "workflow_metrics", "ended");
  const { period, ...hour } = rows[0] ?? assert.fail();
  assert.equal(period, "last_hour");
  const { duration_p50_seconds, duration_p95_seconds, duration_p99_seconds, ...rest } = hour;
  assert.deepEqual(rest, {
    ...{ workflow_id: "one_step", ended: 125, completed: 100, failed: 20, cancelled: 5 },
    ...{ completion_rate: 0.8, failure_rate: 0.16, duration_avg_seconds: 50.5 },
    ...{ queued_p50_seconds: 2, queued_p95_seconds: 2 },
  });
  const close = (actual: unknown, expected: number) =>
    assert.ok(Math.abs(Number(actual) - expected) < 1e-6, `${actual} is not ${expected}`);
  close(duration_p50_seconds, 50.5);
  close(duration_p95_seconds, 95.05);
  close(duration_p99_seconds, 99.01);
  assert.deepEqual(
    rows.slice(1).map(({ period, ended, failed }) => [period, ended, failed]),
    [["last_day", 126, 21], ["last_week", 127, 21]],
  );
});

file.test("workflow_metrics: a job that was to wait for its run_at was not queued until then", async (db) => {
  await stopClock(db, ago(0));
  await addEnded(db, "completed", MINUTE, 1, { created_at: ago(DAY), run_at: ago(64) });
  const [row] = await read(db, "workflow_metrics", "ended");
  assert.equal(row?.queued_p95_seconds, 3);
});

file.test("workflow_metrics: jobs that never started have no durations", async (db) => {
  await stopClock(db, ago(0));
  await addEnded(db, "cancelled", MINUTE, 1, { started_at: null });
  const [row] = await read(db, "workflow_metrics", "ended");
  const { ended, completion_rate, duration_avg_seconds, queued_p50_seconds } = row ?? assert.fail();
  assert.deepEqual(
    { ended, completion_rate, duration_avg_seconds, queued_p50_seconds },
    { ended: 1, completion_rate: 0, duration_avg_seconds: null, queued_p50_seconds: null },
  );
});

file.test("workflow_metrics: a child that runs a branch is no job of its own", async (db) => {
  await stopClock(db, ago(0));
  const parent = await addEnded(db, "completed", MINUTE);
  await addEnded(db, "failed", MINUTE, 1, { ...childOf(parent), branch: "each" });
  await addEnded(db, "completed", MINUTE, 1, childOf(parent)); // of a whole workflow
  const [row] = await read(db, "workflow_metrics", "ended");
  assert.deepEqual([row?.ended, row?.completed], [2, 2]);
});

file.test("workflow_metrics: a job that was run again counts and has no duration", async (db) => {
  await stopClock(db, ago(0));
  await addEnded(db, "completed", MINUTE, DAY, { run_number: 2 });
  await addEnded(db, "completed", MINUTE, 7);
  const [row] = await read(db, "workflow_metrics", "ended");
  assert.deepEqual([row?.completed, row?.duration_p99_seconds], [2, 7]);
});

file.test("step_metrics and failure_metrics: steps of a branch are its own", async (db) => {
  await stopClock(db, ago(0));
  const parent = await addEnded(db, "failed", 5);
  await addAttempt(db, parent, 1, "failed");
  for (const item_index of [0, 1]) {
    const more = { ...childOf(parent), branch: "each", item_index };
    await addAttempt(db, await addEnded(db, "failed", 5, 1, more), 1, "failed");
  }
  const steps = await read(db, "step_metrics where period = 'last_hour'", "branch nulls first");
  assert.deepEqual(
    steps.map(({ branch, step_id, failed }) => [branch, step_id, failed]),
    [[null, "a", 1], ["each", "a", 2]],
  );
  const failures = await read(
    db,
    "failure_metrics where period = 'last_hour'",
    "branch nulls first, error_code",
  );
  assert.deepEqual(
    failures.map((row) => [row.branch, row.error_code, row.failed_attempts, row.failed_jobs]),
    [
      [null, "http_5xx", 1, 0],
      [null, "timeout", 0, 1],
      ["each", "http_5xx", 2, 0],
      ["each", "timeout", 0, 2],
    ],
  );
});

file.test("slot_metrics: who holds and who waits, by key", async (db) => {
  await stopClock(db, ago(0));
  await db`delete from millrace.slots`;
  await db`insert into millrace.slots (key, capacity, in_use) values ('k', 5, 5), ('l', 2, 1)`;
  await addWaitingForSlot(db, "k", 40);
  await addWaitingForSlot(db, "k", 50);
  assert.deepEqual(await read(db, "slot_metrics", "key"), [
    {
      ...{ key: "k", capacity: 5, in_use: 5, jobs_waiting: 2 },
      oldest_created_at: new Date(ago(50)),
    },
    { key: "l", capacity: 2, in_use: 1, jobs_waiting: 0, oldest_created_at: null },
  ]);
});

file.test("step_metrics: attempts, retries and durations by step", async (db) => {
  await stopClock(db, ago(0));
  const job = await addEnded(db, "completed", 5);
  await addAttempt(db, job, 1, "failed", { started_at: ago(14) });
  await addAttempt(db, job, 2, "failed", { started_at: ago(14), redeliveries: 3 });
  await addAttempt(db, job, 3, "completed", { started_at: ago(18) });
  await addAttempt(db, job, 0, "skipped", { visit: 2, started_at: ago(10), transformer_id: null });
  await addAttempt(db, job, 1, "completed", { step_id: "b", started_at: ago(13) });
  await addAttempt(db, job, 1, "completed", {
    visit: 9,
    started_at: ago(DAY),
    ended_at: ago(HOUR + 1),
  });
  const rows = await read(db, "step_metrics where period = 'last_hour'", "step_id");
  const common = { period: "last_hour", workflow_id: "one_step", branch: null };
  assert.deepEqual(
    rows.map((row) => {
      const { duration_p95_seconds: _, duration_p99_seconds: __, failure_rate, ...rest } = row;
      return { ...rest, failure_rate: Number(failure_rate.toFixed(6)) };
    }),
    [
      {
        ...{ ...common, step_id: "a", attempts: 3, completed: 1, failed: 2, skipped: 1 },
        ...{ retries: 2, redeliveries: 3, failure_rate: 0.666667 },
        ...{ duration_avg_seconds: 16 / 3, duration_p50_seconds: 4 },
      },
      {
        ...{ ...common, step_id: "b", attempts: 1, completed: 1, failed: 0, skipped: 0 },
        ...{ retries: 0, redeliveries: 0, failure_rate: 0 },
        ...{ duration_avg_seconds: 3, duration_p50_seconds: 3 },
      },
    ],
  );
});

file.test("failure_metrics: attempts and jobs by step and error code", async (db) => {
  await stopClock(db, ago(0));
  const job = await addEnded(db, "failed", 5);
  await addAttempt(db, job, 1, "failed", { ended_at: ago(15) });
  await addAttempt(db, job, 2, "failed");
  await addAttempt(db, job, 3, "failed", { error: { code: "timeout", message: "m" } });
  await addEnded(db, "completed", 5);
  const rows = await read(db, "failure_metrics where period = 'last_hour'", "error_code");
  const common = { period: "last_hour", workflow_id: "one_step", branch: null, step_id: "a" };
  assert.deepEqual(rows, [
    {
      ...{ ...common, error_code: "http_5xx", failed_attempts: 2, failed_jobs: 0 },
      ...{ first_failed_at: new Date(ago(15)), last_failed_at: new Date(ago(10)) },
    },
    {
      ...{ ...common, error_code: "timeout", failed_attempts: 1, failed_jobs: 1 },
      ...{ first_failed_at: new Date(ago(10)), last_failed_at: new Date(ago(5)) },
    },
  ]);
});

file.test("transformer_metrics: execution times by transformer", async (db) => {
  await stopClock(db, ago(0));
  const job = await addEnded(db, "completed", 5);
  for (let attempt = 1; attempt <= 4; attempt++) {
    const status = attempt === 4 ? "failed" : "completed";
    await addAttempt(db, job, attempt, status, { started_at: ago(10 + attempt) });
  }
  await addAttempt(db, job, 0, "skipped");
  const rows = await read(db, "transformer_metrics where period = 'last_hour'", "1");
  assert.deepEqual(
    rows.map(({ duration_p95_seconds: _, duration_p99_seconds: __, ...row }) => row),
    [
      {
        ...{ period: "last_hour", transformer_id: "echo", attempts: 4, failed: 1 },
        ...{ failure_rate: 0.25, duration_avg_seconds: 2.5, duration_p50_seconds: 2.5 },
      },
    ],
  );
});

file.test("queue_metrics: what is due and for how long, by status", async (db) => {
  await stopClock(db, ago(0));
  await insertJob(db, { run_at: ago(30), created_at: ago(30) });
  await insertJob(db, { run_at: ago(90), created_at: ago(90) });
  await insertJob(db, { run_at: ago(-60) });
  await addWaitingForSlot(db, "k", 40);
  await addWaitingForSlot(db, "k", 50);
  await insertJob(db, { status: "running", lease_token: TOKEN, next_run_at: ago(-10) });
  await insertJob(db, { status: "running", lease_token: TOKEN, next_run_at: ago(45) });
  await insertJob(db, { status: "awaiting_retry", next_run_at: ago(-5), next_retry_at: ago(-5) });
  await addEnded(db, "completed", 5);
  assert.deepEqual(await read(db, "queue_metrics", "oldest_due_seconds desc nulls last, status"), [
    {
      ...{ status: "pending", jobs: 3, due: 2, not_due: 1, waiting_for_slot: 2 },
      ...{ oldest_due_at: new Date(ago(90)), oldest_due_seconds: 90 },
    },
    {
      ...{ status: "running", jobs: 2, due: 1, not_due: 1, waiting_for_slot: 0 },
      ...{ oldest_due_at: new Date(ago(45)), oldest_due_seconds: 45 },
    },
    {
      ...{ status: "awaiting_retry", jobs: 1, due: 0, not_due: 1, waiting_for_slot: 0 },
      ...{ oldest_due_at: null, oldest_due_seconds: null },
    },
    {
      ...{ status: "waiting", jobs: 0, due: 0, not_due: 0, waiting_for_slot: 0 },
      ...{ oldest_due_at: null, oldest_due_seconds: null },
    },
  ]);
});

file.test("api_metrics: counts, errors and durations by endpoint and method", async (db) => {
  await stopClock(db, ago(0));
  await db`insert into public.api_requests (endpoint, method, status, duration_ms, created_at)
    select 'jobs', 'GET', case when n <= 2 then 500 when n <= 5 then 404 else 200 end, n, ${ago(60)}
    from generate_series(1, 20) as n`;
  await db`insert into public.api_requests values
    ('start-workflow', 'POST', 201, 8, ${ago(2 * HOUR)})`;
  const rows = await read(db, "api_metrics", "period desc, endpoint");
  assert.deepEqual(
    rows.map(({ period, endpoint, requests }) => [period, endpoint, requests]),
    [
      ["last_hour", "jobs", 20],
      ["last_day", "jobs", 20],
      ["last_day", "start-workflow", 1],
    ],
  );
  const { period: _, duration_p95_ms, duration_p99_ms: __, ...row } = rows[0] ?? assert.fail();
  assert.deepEqual(row, {
    ...{ endpoint: "jobs", method: "GET", requests: 20, client_errors: 3, server_errors: 2 },
    ...{ error_rate: 0.1, duration_avg_ms: 10.5, duration_p50_ms: 10.5 },
  });
  assert.ok(Math.abs(duration_p95_ms - 19.05) < 1e-6);
});

file.test("metrics: a database without jobs has no rows and no errors", async (db) => {
  for (const view of ["workflow", "step", "failure", "transformer", "api"]) {
    assert.deepEqual(await read(db, `${view}_metrics`, "1"), []);
  }
  assert.equal((await read(db, "queue_metrics", "1")).length, 4);
});
