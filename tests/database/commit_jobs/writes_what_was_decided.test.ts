import assert from "node:assert/strict";
import { privateDatabase } from "../../support/private_database.ts";
import {
  as,
  claim,
  claimOne,
  commit,
  commitOf,
  completionOf,
  insertJob,
  readJob,
  stepRecord,
  TOKEN,
} from "../../support/engine.ts";
import { stopClock } from "../../support/seed_database.ts";

const file = await privateDatabase();
const NOW = "2030-01-01T12:00:00.000Z";
const LATER = "2030-01-01T13:00:00.000Z";
const ERROR = { code: "http_5xx", message: "it broke", retryable: true };
const entry = (output: unknown) => ({
  output,
  status: "completed" as const,
  error: null,
  attempts: 1,
});

file.test("commit_jobs() completes a job", async (db) => {
  await stopClock(db, NOW);
  const id = await insertJob(db);
  const job = await claimOne(db);
  const reply = await commit(db, [completionOf(job, { result: 1 })]);
  assert.deepEqual(reply, {
    results: [{ job_id: id, committed: true }],
    woken: [],
    claimed: [],
  });
  const row = await readJob(db, id);
  const { status, final_result, lease_token, next_run_at, error, error_message, version } = row;
  assert.deepEqual(
    { status, final_result, lease_token, next_run_at, error, error_message, version },
    {
      ...{ status: "completed", final_result: { result: 1 }, lease_token: null },
      ...{ next_run_at: null, error: null, error_message: null, version: 3 },
    },
  );
  assert.equal(row.completed_at.toISOString(), NOW);
  assert.equal(row.last_updated_at.toISOString(), NOW);
});

file.test("commit_jobs() fails a job with its error", async (db) => {
  const id = await insertJob(db);
  await commit(db, [commitOf(await claimOne(db), { status: "failed", error: ERROR })]);
  const { status, error, error_message, completed_at } = await readJob(db, id);
  assert.deepEqual([status, error, error_message], ["failed", ERROR, "it broke"]);
  assert.ok(completed_at instanceof Date);
});

file.test("commit_jobs() keeps the lease of a job that goes on", async (db) => {
  await stopClock(db, NOW);
  const id = await insertJob(db);
  const job = await claimOne(db);
  const state = { visit: 1, attempt: 1, steps_visited: 2 };
  await commit(db, [
    commitOf(job, { current_step_id: "b", state, retry_count: 2, redeliveries: 1 }),
  ]);
  const row = await readJob(db, id);
  const { status, current_step_id, lease_token, retry_count, redeliveries, completed_at } = row;
  assert.deepEqual(
    { status, current_step_id, lease_token, retry_count, redeliveries, completed_at },
    {
      ...{ status: "running", current_step_id: "b", lease_token: TOKEN },
      ...{ retry_count: 2, redeliveries: 1, completed_at: null },
    },
  );
  assert.deepEqual(row.state, state);
});

file.test("commit_jobs() extends a lease only when half of it is over", async (db) => {
  await stopClock(db, NOW);
  const id = await insertJob(db);
  const job = await claimOne(db);
  const expiry = async () => (await readJob(db, id)).next_run_at.toISOString();
  await stopClock(db, "2030-01-01T12:00:14.999Z");
  await commit(db, [commitOf(job)]);
  assert.equal(await expiry(), "2030-01-01T12:00:30.000Z");
  await stopClock(db, "2030-01-01T12:00:15Z");
  await commit(db, [commitOf({ ...job, version: job.version + 1 })]);
  assert.equal(await expiry(), "2030-01-01T12:00:45.000Z");
});

file.test("commit_jobs() parks a job until the time that it wishes", async (db) => {
  const id = await insertJob(db);
  const park = { next_run_at: LATER, next_retry_at: LATER, retry_count: 1 };
  await commit(db, [commitOf(await claimOne(db), { status: "awaiting_retry", ...park })]);
  const row = await readJob(db, id);
  assert.deepEqual([row.status, row.lease_token, row.retry_count], ["awaiting_retry", null, 1]);
  assert.equal(row.next_run_at.toISOString(), LATER);
  assert.equal(row.next_retry_at.toISOString(), LATER);
});

file.test("commit_jobs() adds the entries of step_data that it is given to those there", async (db) => {
  const id = await insertJob(db);
  const job = await claimOne(db);
  await commit(db, [commitOf(job, { step_data: { a: entry(1), b: entry(1) } })]);
  await commit(db, [commitOf({ ...job, version: 3 }, { step_data: { b: entry(2), c: entry(3) } })]);
  await commit(db, [commitOf({ ...job, version: 4 })]);
  assert.deepEqual((await readJob(db, id)).step_data, { a: entry(1), b: entry(2), c: entry(3) });
});

for (const value of [0, false, "", null, [], {}, "null", 1e21, "\u{1F600} '; --"]) {
  file.test(`commit_jobs() keeps an output of ${JSON.stringify(value)} as it is`, async (db) => {
    const id = await insertJob(db);
    const job = await claimOne(db);
    await commit(
      db,
      [commitOf(job, { status: "completed", final_result: value, step_data: { a: entry(value) } })],
      { steps: [stepRecord(job, { input: value, output: value })] },
    );
    const row = await readJob(db, id);
    assert.deepEqual(row.step_data.a.output, value);
    assert.deepEqual(row.final_result, value);
    const [step] = await db`select input, output from public.job_steps`;
    assert.deepEqual([step?.input, step?.output], [value, value]);
  });
}

file.test("commit_jobs() records attempts as they were", async (db) => {
  const id = await insertJob(db);
  const job = await claimOne(db);
  const times = { started_at: NOW, ended_at: LATER };
  await commit(db, [commitOf(job)], {
    steps: [
      stepRecord(job, { ...times, status: "failed", error: ERROR, output: null, redeliveries: 2 }),
      stepRecord(job, { ...times, attempt: 2 }),
      stepRecord(job, { ...times, step_id: "b", attempt: 0, status: "skipped", input: null }),
    ],
  });
  const rows =
    await db`select step_id, visit, attempt, status, transformer_id, input, output, error,
    redeliveries, started_at, ended_at from public.job_steps where job_id = ${id} order by step_id, attempt`;
  const time = { started_at: new Date(NOW), ended_at: new Date(LATER) };
  const common = { visit: 1, transformer_id: "echo", input: { in: 1 }, output: { out: 1 } };
  assert.deepEqual([...rows], [
    {
      ...{ ...common, ...time, step_id: "a", attempt: 1, status: "failed", redeliveries: 2 },
      ...{ output: null, error: ERROR },
    },
    {
      ...{ ...common, ...time, step_id: "a", attempt: 2, status: "completed", redeliveries: 0 },
      ...{ error: null },
    },
    {
      ...{ ...common, ...time, step_id: "b", attempt: 0, status: "skipped", redeliveries: 0 },
      ...{ input: null, error: null },
    },
  ]);
});

file.test("commit_jobs() records events and takes the consumed messages away, no others", async (db) => {
  await stopClock(db, NOW);
  const id = await insertJob(db);
  const other = await insertJob(db, { priority: 0 });
  const send = (job: string) =>
    db`insert into public.job_inbox (job_id, kind, step_id, visit, attempt)
      values (${job}, 'step_result', 'a', 1, 1) returning id`;
  const [first] = await send(id);
  const [second] = await send(id);
  const [others] = await send(other);
  const job = await claimOne(db);
  await commit(db, [commitOf(job)], {
    events: [{ job_id: id, type: "cancel_requested", step_id: "a", data: { reason: "x" } }],
    // A message of a job that this commit does not hold is none of its business.
    consumed: [{ job_id: id, id: first?.id }, { job_id: id, id: others?.id }],
  });
  const events = await db`select job_id, type, step_id, data, created_at from public.job_events`;
  assert.deepEqual([...events], [
    {
      ...{ job_id: id, type: "cancel_requested", step_id: "a", data: { reason: "x" } },
      ...{ created_at: new Date(NOW) },
    },
  ]);
  const left = await db`select id from public.job_inbox order by id`;
  assert.deepEqual(left.map(({ id }) => id), [second?.id, others?.id]);
});

file.test("commit_jobs() writes a batch at once, each job its own way", async (db) => {
  for (let i = 0; i < 3; i++) await insertJob(db, { priority: 9 - i });
  const [a, b, c] = await claim(db);
  if (!a || !b || !c) assert.fail();
  const reply = await commit(db, [
    completionOf(c),
    commitOf(a, { status: "failed", error: ERROR }),
    commitOf(b, { status: "waiting", next_run_at: LATER }),
  ]);
  assert.deepEqual(reply.results, [c, a, b].map(({ job_id }) => ({ job_id, committed: true })));
  const rows = await db`select status from public.jobs order by priority`;
  assert.deepEqual(rows.map(({ status }) => status), ["completed", "waiting", "failed"]);
});

file.test("commit_jobs() works for the service role", async (db) => {
  const id = await insertJob(db);
  await as(db, "service_role", null, async (db) => {
    const job = await claimOne(db);
    await commit(db, [completionOf(job)], {
      steps: [stepRecord(job)],
      events: [{ job_id: id, type: "redelivered", step_id: null, data: {} }],
    });
  });
  assert.equal((await readJob(db, id)).status, "completed");
});
