import assert from "node:assert/strict";
import { ago, alerts, alertTest, NOW } from "../../support/alerts.ts";
import type { TestDatabase } from "../../support/database.ts";
import { insertJob, TOKEN } from "../../support/engine.ts";
import { privateDatabase } from "../../support/private_database.ts";
import { ALICE } from "../../support/seed_database.ts";

const file = await privateDatabase();
const test = (name: string, run: (db: TestDatabase) => Promise<void>) => alertTest(file, name, run);

const addEnded = (db: TestDatabase, status: string, code = "timeout", ended = 60) =>
  insertJob(db, {
    status,
    completed_at: ago(ended),
    current_step_id: "a",
    ...(status === "failed" ? { error: { code, message: "m" }, error_message: "m" } : {}),
  });
const addLeased = (db: TestDatabase, overdue: number, columns = {}) =>
  insertJob(db, { status: "running", lease_token: TOKEN, next_run_at: ago(overdue), ...columns });

test("none when all is well", async (db) => {
  await insertJob(db, { created_at: ago(5) });
  await addLeased(db, -20);
  await addEnded(db, "completed");
  assert.deepEqual(await alerts(db), []);
});

test("none for jobs that wait as they were told to", async (db) => {
  const long = ago(1_000_000);
  const state = (kind: string) => ({ entered_at: NOW - 1e9, waiting: { kind } });
  const waits = (columns: Record<string, unknown>) =>
    insertJob(db, { status: "waiting", created_at: long, started_at: long, ...columns });
  const parent = await waits({ state: state("children"), open_children: 2 });
  const child = {
    ...{ parent_job_id: parent, parent_step_id: "each", parent_visit: 1, root_job_id: parent },
    ...{ depth: 1, workflow_version: 1, branch: "each", created_at: long },
  };
  await insertJob(db, { ...child, status: "waiting", state: state("approval") });
  await insertJob(db, { ...child, status: "pending", slot_key: "k", wanted_slot: "k" });
  await waits({ state: state("event") });
  await waits({ state: state("callback"), next_run_at: ago(-3600) });
  await waits({ state: state("timer"), next_run_at: ago(-3600) });
  await waits({ status: "paused" });
  const limited = await waits({ status: "pending", wanted_slot: "k" });
  await db`update public.jobs set next_run_at = null where id = ${limited}`;
  await insertJob(db, { created_at: long, run_at: ago(-3600) });
  assert.deepEqual(await alerts(db), []);
});

test("failure_rate counts no children that run a branch", async (db) => {
  const parent = await addEnded(db, "completed");
  for (let index = 0; index < 10; index++) {
    await insertJob(db, {
      ...{ parent_job_id: parent, parent_step_id: "each", parent_visit: 1, root_job_id: parent },
      ...{ depth: 1, workflow_version: 1, branch: "each", item_index: index, status: "failed" },
      ...{ completed_at: ago(60), error: { code: "timeout", message: "m" }, error_message: "m" },
    });
  }
  assert.deepEqual(await alerts(db), []);
});

test("configuration names the branch of a step", async (db) => {
  const parent = await addEnded(db, "completed");
  await insertJob(db, {
    ...{ parent_job_id: parent, parent_step_id: "each", parent_visit: 1, root_job_id: parent },
    ...{ depth: 1, workflow_version: 1, branch: "each", item_index: 0, status: "failed" },
    ...{ current_step_id: "s", completed_at: ago(60), error_message: "m" },
    error: { code: "secret_missing", message: "m" },
  });
  const [alert] = await alerts(db);
  assert.equal(alert?.subject, "one_step.each.s");
  assert.match(alert?.message ?? "", /^Step 'each\.s' of workflow 'one_step' failed with /);
});

test("event_delay when an event is not delivered for too long", async (db) => {
  const emit = (created: number, delivered: string | null = null) =>
    db`insert into public.events (user_id, name, created_at, delivered_at, position)
      values (${ALICE}, 'e', ${ago(created)}, ${delivered}, ${delivered === null ? null : 1})`;
  await emit(600, ago(599));
  await emit(60);
  assert.deepEqual(await alerts(db), []);
  await db`delete from public.events`;
  await emit(61);
  assert.deepEqual(await alerts(db), [{
    ...{ severity: "warning", kind: "event_delay", subject: "events" },
    message: "The oldest event that is to be delivered has waited for 61 seconds: check that " +
      "workflow-orchestrator is deployed and called",
    ...{ value: 61, threshold: 60, since: new Date(ago(61)) },
  }]);
});

test("queue_delay of a job that was woken counts as that of one in the start queue", async (db) => {
  await insertJob(db, { status: "waiting", next_run_at: ago(70) });
  await insertJob(db, { created_at: ago(65) });
  const [alert] = await alerts(db);
  assert.deepEqual([alert?.kind, alert?.value], ["queue_delay", 70]);
});

test("failure_rate when enough of a workflow's jobs failed", async (db) => {
  for (let i = 0; i < 15; i++) await addEnded(db, "completed");
  for (let i = 0; i < 4; i++) await addEnded(db, "failed", "timeout", 100 + i);
  for (let i = 0; i < 50; i++) await addEnded(db, "failed", "timeout", 3700);
  assert.deepEqual(await alerts(db), []); // 4 of 19, but fewer than alert_failed_jobs
  await addEnded(db, "failed");
  assert.deepEqual(await alerts(db), [{
    ...{ severity: "warning", kind: "failure_rate", subject: "one_step" },
    message: "5 of the 20 jobs of workflow 'one_step' that ended in the last hour failed: " +
      "look at failure_metrics for the steps and codes",
    ...{ value: 0.25, threshold: 0.2, since: new Date(ago(103)) },
  }]);
  await db`update millrace.settings set alert_failure_rate = 0.3`;
  assert.deepEqual(await alerts(db), []);
});

test("failure_rate is critical when half of the jobs fail", async (db) => {
  for (let i = 0; i < 5; i++) await addEnded(db, "failed");
  assert.deepEqual((await alerts(db)).map(({ severity, kind }) => [severity, kind]), [
    ["critical", "failure_rate"],
  ]);
});

const ADVICE: Record<string, string> = {
  config_invalid: "correct the config of the step or its transformer",
  secret_missing:
    "set the environment variable that the job's error names with supabase secrets set",
  transformer_not_found: "insert the transformer or correct the step's transformer_id",
  definition_invalid: "correct the definition, the job's error names the place",
  executor_unreachable: "deploy the transformer's target_function and check its logs",
};
for (const [code, advice] of Object.entries(ADVICE)) {
  test(`configuration when a job failed with ${code}`, async (db) => {
    await addEnded(db, "failed", code);
    await addEnded(db, "failed", code, 3700);
    assert.deepEqual(await alerts(db), [{
      ...{ severity: "critical", kind: "configuration", subject: "one_step.a" },
      message: `Step 'a' of workflow 'one_step' failed with ${code} in the last hour: ${advice}`,
      ...{ value: 1, threshold: 1, since: new Date(ago(60)) },
    }]);
  });
}

test("configuration when attempts fail though the job has not yet", async (db) => {
  const job = await addLeased(db, -20);
  for (const attempt of [1, 2]) {
    await db`insert into public.job_steps
      (job_id, step_id, visit, attempt, status, error, started_at, ended_at)
      values (${job}, 'a', 1, ${attempt}, 'failed', '{"code": "executor_unreachable"}',
        ${ago(10)}, ${ago(10)})`;
  }
  assert.deepEqual((await alerts(db)).map(({ kind, value }) => [kind, value]), [
    ["configuration", 2],
  ]);
});

test("queue_delay when the oldest due job has waited for too long", async (db) => {
  await insertJob(db, { created_at: ago(60) });
  assert.deepEqual(await alerts(db), []);
  await insertJob(db, { created_at: ago(61.5), priority: 0 });
  const [alert, ...others] = await alerts(db);
  assert.deepEqual(others, []);
  assert.deepEqual(alert, {
    ...{ severity: "warning", kind: "queue_delay", subject: "queue" },
    message: "The oldest due job has waited for 61 seconds: check that workflow-orchestrator is " +
      "deployed and called, then raise max_orchestrators in millrace.settings",
    ...{ value: 61.5, threshold: 60, since: new Date(ago(61.5)) },
  });
});

test("queue_length when too many jobs are due", async (db) => {
  await db`update millrace.settings set alert_queue_length = 5`;
  for (let i = 0; i < 5; i++) await insertJob(db, { created_at: ago(10 + i), priority: i });
  assert.deepEqual(await alerts(db), []);
  await insertJob(db, { created_at: ago(20) });
  assert.deepEqual(await alerts(db), [{
    ...{ severity: "warning", kind: "queue_length", subject: "queue" },
    message: "More than 5 jobs are due: raise max_orchestrators in millrace.settings, or slow " +
      "down who starts jobs",
    ...{ value: 6, threshold: 5, since: new Date(ago(20)) },
  }]);
});

test("stalled_jobs when leases, retries or timers are over and nobody takes them up", async (db) => {
  const first = await addLeased(db, 302);
  await addLeased(db, 301, { priority: 9 });
  await addLeased(db, 299);
  const at = ago(400);
  await insertJob(db, { status: "awaiting_retry", next_run_at: at, next_retry_at: at });
  await insertJob(db, { status: "waiting", next_run_at: ago(500) });
  const stalled = (await alerts(db)).filter(({ kind }) => kind === "stalled_jobs");
  assert.deepEqual(
    stalled.map(({ subject, value, threshold, since }) => [subject, value, threshold, since]),
    [
      ["awaiting_retry", 1, 300, new Date(ago(400))],
      ["running", 2, 300, new Date(ago(302))],
      ["waiting", 1, 300, new Date(ago(500))],
    ],
  );
  assert.equal(
    stalled[1]?.message,
    "Jobs in status 'running' are overdue by more than 300 seconds (2, the first is " +
      `${first}): check the logs of workflow-orchestrator`,
  );
});

test("long_running when a job has been in one step for too long", async (db) => {
  const id = await addLeased(db, -20, {
    ...{ current_step_id: "a", started_at: ago(9000), state: { entered_at: NOW - 3_601_000 } },
  });
  await addLeased(db, -20, { started_at: ago(9000), state: { entered_at: NOW - 3_599_000 } });
  assert.deepEqual(await alerts(db), [{
    ...{ severity: "warning", kind: "long_running", subject: id },
    message: `Job ${id} has been in step 'a' of workflow 'one_step' for more than 3600 seconds: ` +
      "look at the logs of its executor, or cancel it",
    ...{ value: 3601, threshold: 3600, since: new Date(ago(3601)) },
  }]);
});
