import assert from "node:assert/strict";
import { privateDatabase } from "../../support/private_database.ts";
import { insertJob } from "../../support/engine.ts";
import { ALICE, BOB } from "../../support/seed_database.ts";
import { at, explain, explainTests } from "../../support/explain.ts";
import type { TestDatabase } from "../../support/database.ts";

const test = explainTests(await privateDatabase());

/** No orchestrator has shown up for a while. */
const nobodyWorks = (db: TestDatabase) =>
  db`update public.orchestrators set last_turn_at = ${at(-11)}`;

test("counts the due jobs before it", async (db) => {
  await insertJob(db, { user_id: BOB, priority: 9, created_at: at(-4) });
  await insertJob(db, { user_id: BOB, priority: 1, created_at: at(-4) });
  await insertJob(db, { user_id: BOB, created_at: at(-4) }); // the same place as the first of Alice
  await insertJob(db, { created_at: at(-4) });
  await insertJob(db, { status: "waiting", next_run_at: at(-1) });
  await insertJob(db, { status: "waiting", next_run_at: at(60) });
  const id = await insertJob(db, { created_at: at(-4) });
  const { reason, details, explanation } = await explain(db, id);
  assert.equal(reason, "not_started");
  assert.equal(details.jobs_before, 4);
  assert.match(explanation, /, with 4 due jobs before it$/);
});

test("counts before a woken job what has been due for longer", async (db) => {
  await insertJob(db, { created_at: at(-4) });
  await insertJob(db, { status: "waiting", next_run_at: at(-3) });
  await insertJob(db, { status: "waiting", next_run_at: at(-1) });
  const id = await insertJob(db, { status: "waiting", next_run_at: at(-2) });
  const { reason, details, explanation } = await explain(db, id);
  assert.deepEqual([reason, details.jobs_before], ["due", 1]);
  assert.match(explanation, /, with 1 due job before it$/);
});

test("says that pg_cron does not run", async (db) => {
  await nobodyWorks(db);
  await db`update millrace.pulse set last_tick_at = ${at(-300)}`;
  const { reason, explanation, action, details } = await explain(
    db,
    await insertJob(db, { created_at: at(-240) }),
  );
  assert.deepEqual([reason, explanation], [
    "cron_stopped",
    "No tick has come for 5 minutes (since 2030-01-08T11:55:00Z): pg_cron does not run, and the job has been due since 2030-01-08T11:56:00Z (4 minutes ago)",
  ]);
  assert.match(action, /^Enable pg_cron and look at its job 'millrace-tick'/);
  assert.equal(new Date(details.last_tick_at).toISOString(), at(-300));
});

test("says that pg_cron has never run", async (db) => {
  await db`delete from public.orchestrators`;
  await db`update millrace.pulse set last_tick_at = null`;
  const { explanation } = await explain(db, await insertJob(db, { created_at: at(-240) }));
  assert.match(explanation, /^No tick has come since the database started: pg_cron does not run/);
});

test("says which Vault secrets are not set", async (db) => {
  await nobodyWorks(db);
  await db`delete from vault.secrets where name = 'millrace_secret_key'`;
  const { reason, explanation, action } = await explain(
    db,
    await insertJob(db, { created_at: at(-240) }),
  );
  assert.deepEqual([reason, explanation, action], [
    "not_configured",
    "The database cannot call workflow-orchestrator without the Vault secret millrace_secret_key, and the job has been due since 2030-01-08T11:56:00Z (4 minutes ago)",
    "Set them by SQL: select vault.create_secret(<value>, 'millrace_secret_key')",
  ]);
});

test("says what the orchestrator answered", async (db) => {
  await nobodyWorks(db);
  await db`insert into net._http_response (id, status_code, timed_out, created)
    values (7, 404, false, ${at(-5)})`;
  await db`update millrace.pulse set watched_kick_at = ${at(-6)}, watched_kick_ids = '{7}'`;
  const { reason, explanation } = await explain(
    db,
    await insertJob(db, { created_at: at(-240) }),
  );
  assert.equal(reason, "orchestrator_unreachable");
  assert.match(explanation, /^The database called workflow-orchestrator, which answered 404: /);
});

test("says so of a lost lease too, and of what has been woken", async (db) => {
  await nobodyWorks(db);
  await db`update millrace.pulse set last_tick_at = ${at(-300)}`;
  const lost = await insertJob(db, {
    status: "running",
    lease_token: crypto.randomUUID(),
    next_run_at: at(-20),
  });
  const woken = await insertJob(db, { status: "waiting", next_run_at: at(-20) });
  assert.equal((await explain(db, lost)).reason, "cron_stopped");
  assert.equal((await explain(db, woken)).reason, "cron_stopped");
});

test("does not blame the platform while an orchestrator works", async (db) => {
  await db`update millrace.pulse set last_tick_at = ${at(-300)}`;
  await db`delete from vault.secrets`;
  const { reason } = await explain(db, await insertJob(db, { created_at: at(-240) }));
  assert.equal(reason, "not_started");
});

test("does not blame the platform for the first seconds", async (db) => {
  await nobodyWorks(db);
  await db`update millrace.pulse set last_tick_at = ${at(-300)}`;
  const { reason } = await explain(db, await insertJob(db, { created_at: at(-9) }));
  assert.equal(reason, "not_started");
});

test("does not blame the platform for a job that is not due", async (db) => {
  await nobodyWorks(db);
  await db`delete from vault.secrets`;
  const { reason } = await explain(db, await insertJob(db, { run_at: at(60) }));
  assert.equal(reason, "scheduled");
});

for (
  const [code, action] of [
    ["executor_unreachable", "Deploy the function 'execute-echo' and check its logs"],
    [
      "executor_crashed",
      "Look at the logs of the function 'execute-echo': it was killed or lost while it worked",
    ],
  ] as const
) {
  test(`names the executor of an attempt that ended with ${code}`, async (db) => {
    const message = "Executor 'execute-echo' answered 404: is the function deployed?";
    const id = await insertJob(db, {
      status: "awaiting_retry",
      current_step_id: "a",
      next_run_at: at(12),
      next_retry_at: at(12),
      error: db.json({ code, message, retryable: true }),
      error_message: message,
    });
    await db`insert into public.job_steps
      (job_id, step_id, visit, attempt, status, transformer_id, error, started_at, ended_at)
      values (${id}, 'a', 1, 1, 'failed', 'echo', '{}', now(), now())`;
    const explained = await explain(db, id);
    assert.deepEqual(
      [explained.reason, explained.explanation, explained.action, explained.details.executor],
      [
        "executor_failing",
        `${message}; step 'a' is tried again at 2030-01-08T12:00:12Z (in 12 s)`,
        action,
        "execute-echo",
      ],
    );
  });
}

test("says how many run in the slots that it waits for", async (db) => {
  const key = "workflow:billing:acme";
  await db`insert into millrace.slots (key, capacity, in_use) values (${key}, 5, 5)`;
  const waits = (created_at: string, more: Record<string, unknown> = {}) =>
    insertJob(db, { wanted_slot: key, created_at, ...more });
  await waits(at(-20), { user_id: BOB });
  await waits(at(-1));
  await waits(at(-1), { priority: 9 });
  await insertJob(db, { wanted_slot: "workflow:other:", created_at: at(-30) });
  const id = await waits(at(-10));
  await db`update public.jobs set next_run_at = null where wanted_slot is not null`;
  const { reason, explanation, action, details } = await explain(db, id);
  assert.deepEqual([reason, explanation], [
    "waits_for_slot",
    "Job waits for a slot of 'workflow:billing:acme': 5 of 5 running, 2 jobs before it",
  ]);
  assert.equal(
    action,
    "Nothing to do: it starts when those before it have ended; for more at a time raise the limit (concurrency.max_running of the workflow)",
  );
  assert.deepEqual([details.slot, details.in_use, details.capacity], [key, 5, 5]);
});

test("shows the limit of a map to the owner of its items", async (db) => {
  await db`insert into millrace.slots (key, capacity, in_use) values ('map:x', 1, 1)`;
  const id = await insertJob(db, { wanted_slot: "map:x", slot_key: "map:x" });
  await db`update public.jobs set next_run_at = null`;
  assert.match((await explain(db, id, ALICE)).action, /\(max_concurrency of the map\)$/);
});
