import assert from "node:assert/strict";
import { claimedJobSchema } from "../../../supabase/functions/_shared/contracts/turn.ts";
import { privateDatabase } from "../../support/private_database.ts";
import { claim, claimOne, insertJob, OTHER_TOKEN, readJob, TOKEN } from "../../support/engine.ts";
import { ALICE, stopClock } from "../../support/seed_database.ts";

const file = await privateDatabase();

file.test("claim_jobs() writes the lease", async (db) => {
  await stopClock(db, "2030-01-01T12:00:00Z");
  const id = await insertJob(db);
  await stopClock(db, "2030-01-01T12:00:05Z");
  await claim(db, 1, TOKEN, 45);
  const job = await readJob(db, id);
  assert.equal(job.status, "running");
  assert.equal(job.lease_token, TOKEN);
  assert.equal(job.next_run_at.toISOString(), "2030-01-01T12:00:50.000Z");
  assert.equal(job.started_at.toISOString(), "2030-01-01T12:00:05.000Z");
  assert.equal(job.last_updated_at.toISOString(), "2030-01-01T12:00:05.000Z");
  assert.equal(job.version, 2);
  assert.equal(job.redeliveries, 0);
});

file.test("claim_jobs() hands over all that the engine plans with", async (db) => {
  const id = await insertJob(db, { input_data: { a: 1 }, max_retries: 7 });
  const row = await readJob(db, id);
  const [job] = await claim(db);
  assert.deepEqual(claimedJobSchema.parse(job).state, {
    ...{ visit: 1, attempt: 1, steps_visited: 1, previous_step: null, visits: {} },
    ...{ handling_error: false, paused: false, events: {} },
  });
  const { created_at, started_at, ...rest } = job ?? assert.fail();
  assert.deepEqual(rest, {
    ...{ job_id: id, user_id: ALICE, workflow_id: "one_step", workflow_version: 1 },
    ...{ current_step_id: "a", input_data: { a: 1 }, step_data: {}, state: {}, version: 2 },
    ...{ redeliveries: 0, retry_count: 0, max_retries: 7, retry: null },
    ...{ run_at: null, deadline_at: null, trace_id: row.trace_id, priority: 5, messages: [] },
    ...{
      parent_job_id: null,
      parent_step_id: null,
      parent_visit: null,
      item_index: null,
      depth: 0,
    },
    ...{ branch: null, item: null, scope: null, open_children: 0, failed_children: 0 },
    ...{ children: null, slot_key: null, held_slots: [], inherited_slots: [] },
  });
  assert.equal(new Date(created_at).getTime(), row.created_at.getTime());
  assert.ok(new Date(started_at) >= row.created_at);
});

file.test("claim_jobs() fills in the first step of the version that the job is pinned to", async (db) => {
  const id = await insertJob(db);
  await db`update public.workflows
    set definition = '{"start_step": "b", "steps": {"b": {"transformer_id": "echo"}}}'`;
  assert.equal((await claimOne(db)).current_step_id, "a");
  assert.equal((await readJob(db, id)).current_step_id, "a");
});

file.test("claim_jobs() leaves the step of a job that is under way", async (db) => {
  await insertJob(db, { current_step_id: "somewhere", state: { visit: 3 } });
  const job = await claimOne(db);
  assert.equal(job.current_step_id, "somewhere");
  assert.deepEqual(job.state, { visit: 3 });
});

file.test("claim_jobs() brings the mailbox, oldest first, and clears the wish to be woken", async (db) => {
  const id = await insertJob(db);
  await db`insert into public.job_inbox (job_id, kind, payload)
    values (${id}, 'cancel', '{"reason": "first"}')`;
  await db`insert into public.job_inbox (job_id, kind, step_id, visit, attempt, payload)
    values (${id}, 'step_result', 'a', 1, 2, '{"status": "completed", "output": 0}')`;
  assert.equal((await readJob(db, id)).wake_requested, true);
  const { messages } = await claimOne(db);
  assert.deepEqual(messages.map(({ id: _, ...message }) => message), [
    {
      ...{ kind: "cancel", step_id: null, visit: null, attempt: null },
      payload: { reason: "first" },
    },
    {
      ...{ kind: "step_result", step_id: "a", visit: 1, attempt: 2 },
      payload: { status: "completed", output: 0 },
    },
  ]);
  assert.equal((await readJob(db, id)).wake_requested, false);
  assert.equal((await db`select from public.job_inbox`).count, 2); // the commit takes them away
});

file.test("claim_jobs() tells of the retry that a message has interrupted the wait for", async (db) => {
  await stopClock(db, "2030-01-01T12:00:00Z");
  const error = { code: "http_5xx", message: "it broke", retryable: true };
  const later = "2030-01-01T13:00:00Z";
  const waiting = { status: "awaiting_retry", next_run_at: later, next_retry_at: later, error };
  const id = await insertJob(db, waiting);
  await db`insert into public.job_inbox (job_id, kind) values (${id}, 'cancel')`;
  const { retry, messages } = await claimOne(db);
  assert.equal(messages.length, 1);
  assert.deepEqual(retry?.error, error);
  assert.equal(new Date(retry?.at ?? 0).toISOString(), "2030-01-01T13:00:00.000Z");
  assert.deepEqual((await readJob(db, id)).next_retry_at, new Date(later));
});

file.test("claim_jobs() takes over a lease that ran out, as a redelivery", async (db) => {
  await stopClock(db, "2030-01-01T12:00:00Z");
  const id = await insertJob(db);
  const first = await claimOne(db);
  await stopClock(db, "2030-01-01T12:00:29.999Z");
  assert.deepEqual(await claim(db, 1, OTHER_TOKEN), []);
  await stopClock(db, "2030-01-01T12:00:30Z");
  const second = await claimOne(db, OTHER_TOKEN);
  assert.equal(second.redeliveries, 1);
  assert.equal(second.version, first.version + 2);
  const job = await readJob(db, id);
  assert.equal(job.lease_token, OTHER_TOKEN);
  assert.equal(job.started_at.toISOString(), "2030-01-01T12:00:00.000Z");
  // No change of status, so no entry in the history.
  assert.deepEqual(job.state_history.map(({ to }: { to: string }) => to), ["pending", "running"]);
});

file.test("claim_jobs() counts no redelivery where nobody had the job", async (db) => {
  const at = "2020-01-01T00:00:00Z";
  await insertJob(db, { status: "awaiting_retry", next_run_at: at, next_retry_at: at });
  assert.equal((await claimOne(db)).redeliveries, 0);
});

file.test("claim_jobs() counts redeliveries no further than they can be stored", async (db) => {
  const id = await insertJob(db);
  await db`update public.jobs set status = 'running', lease_token = ${OTHER_TOKEN},
    next_run_at = '2020-01-01', queue_place = null, redeliveries = 32767 where id = ${id}`;
  const other = await insertJob(db);
  const claimed = await claim(db);
  assert.deepEqual(new Set(claimed.map((job) => job.job_id)), new Set([id, other]));
  assert.equal((await readJob(db, id)).redeliveries, 32767);
});
