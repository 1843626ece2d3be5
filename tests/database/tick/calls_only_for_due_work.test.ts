import assert from "node:assert/strict";
import type { TestDatabase } from "../../support/database.ts";
import { privateDatabase } from "../../support/private_database.ts";
import { as, claim, insertJob } from "../../support/engine.ts";
import { queuedCalls, setSecrets, stopClock } from "../../support/seed_database.ts";

const file = await privateDatabase();

const tick = async (db: TestDatabase) => (await db`select public.tick() as reply`)[0]?.reply;
/** Adds due jobs and forgets the calls that their insert has queued. */
async function addDue(db: TestDatabase, count: number, priority = 5): Promise<void> {
  await db`insert into public.jobs (user_id, workflow_id, priority)
    select (select id from auth.users limit 1), 'one_step', ${priority}
    from generate_series(1, ${count}::integer)`;
  await db`delete from net.http_request_queue`;
}

file.test("tick() calls nothing when nothing is due", async (db) => {
  await setSecrets(db);
  await insertJob(db, { run_at: "2099-01-01T00:00:00Z" });
  await insertJob(db, { status: "completed", completed_at: "2020-01-01T00:00:00Z" });
  await db`delete from net.http_request_queue`;
  assert.deepEqual(await tick(db), { due: 0, kicks: 0 });
  assert.deepEqual(await queuedCalls(db), []);
});

file.test("tick() calls the orchestrator with the key from Vault", async (db) => {
  await setSecrets(db);
  await addDue(db, 1);
  assert.deepEqual(await tick(db), { due: 1, kicks: 1 });
  assert.deepEqual(await queuedCalls(db), [
    {
      // The slash that the secret ends with is not doubled.
      url: "http://127.0.0.1:9/functions/v1/workflow-orchestrator",
      headers: { "Content-Type": "application/json", apikey: "sb_secret_test" },
      body: { reason: "tick" },
    },
  ]);
  const [row] = await db`select method, timeout_milliseconds from net.http_request_queue`;
  assert.deepEqual({ ...row }, { method: "POST", timeout_milliseconds: 10_000 });
});

file.test("tick() calls for leases that ran out, not for those that hold", async (db) => {
  await setSecrets(db);
  await stopClock(db, "2030-01-01T12:00:00Z");
  await addDue(db, 1);
  await claim(db);
  assert.equal((await tick(db)).due, 0);
  await stopClock(db, "2030-01-01T12:00:30Z");
  assert.deepEqual(await tick(db), { due: 1, kicks: 1 });
});

/** With 10 jobs to an orchestrator and 4 orchestrators at most. */
const BACKLOGS: [due: number, reply: { due: number; kicks: number }][] = [
  [1, { due: 1, kicks: 1 }],
  [10, { due: 10, kicks: 1 }],
  [11, { due: 11, kicks: 2 }],
  [40, { due: 40, kicks: 4 }],
  [75, { due: 40, kicks: 4 }],
];

for (const [due, reply] of BACKLOGS) {
  file.test(`tick() calls ${reply.kicks} orchestrators for ${due} due jobs`, async (db) => {
    await setSecrets(db);
    await db`update millrace.settings set jobs_per_orchestrator = 10, max_orchestrators = 4`;
    await addDue(db, Math.ceil(due / 2), 9);
    await addDue(db, Math.floor(due / 2), 0);
    assert.deepEqual(await tick(db), reply);
    assert.equal((await queuedCalls(db)).length, reply.kicks);
  });
}

file.test("tick() without the Vault secrets warns and calls nothing", async (db) => {
  await addDue(db, 1);
  const notices: string[] = [];
  await using other = file.connect({ onNotice: (message) => notices.push(message) });
  const [key] = await db`select vault.create_secret('http://127.0.0.1:9', 'millrace_project_url')`;
  assert.ok(key);
  assert.deepEqual(await tick(other), { due: 1, kicks: 0 });
  assert.deepEqual(notices, [
    "Millrace cannot call its orchestrator: set the Vault secrets millrace_project_url and millrace_secret_key",
  ]);
  assert.deepEqual(await queuedCalls(db), []);
});

file.test("tick() leaves a sign of life, also after a crash has emptied the table", async (db) => {
  const pulse = async () => (await db`select last_tick_at from millrace.pulse`)[0];
  await stopClock(db, "2030-01-01T12:00:00Z");
  await tick(db);
  assert.equal((await pulse())?.last_tick_at.toISOString(), "2030-01-01T12:00:00.000Z");
  await db`delete from millrace.pulse`;
  await tick(db);
  assert.equal((await pulse())?.last_tick_at.toISOString(), "2030-01-01T12:00:00.000Z");
});

file.test("tick() works for the service role, which may not read Vault's answer itself", async (db) => {
  await setSecrets(db);
  await addDue(db, 1);
  const reply = await as(db, "service_role", null, (db) => tick(db));
  assert.deepEqual(reply, { due: 1, kicks: 1 });
});

file.test("tick() is what pg_cron runs every five seconds", async (db) => {
  const rows = await db`select jobname, schedule, command, active from cron.job
    where jobname like 'millrace%' order by 1`;
  assert.deepEqual(
    rows.map(({ jobname, schedule, active }) => [jobname, schedule, active]),
    [
      ["millrace-prune", "* * * * *", true],
      ["millrace-prune-api-requests", "41 * * * *", true],
      ["millrace-prune-cron-log", "23 * * * *", true],
      ["millrace-tick", "5 seconds", true],
    ],
  );
  // Every command must run as it stands.
  for (const { command } of rows) await db.unsafe(command).simple();
});
