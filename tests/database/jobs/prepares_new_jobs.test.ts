import assert from "node:assert/strict";
import { privateDatabase } from "../../support/private_database.ts";
import { insertJob, readJob } from "../../support/engine.ts";
import { stopClock } from "../../support/seed_database.ts";

const file = await privateDatabase();
const NOW = "2030-05-01T10:00:00.000Z";

file.test("prepare_job() pins the version that is current", async (db) => {
  const before = await insertJob(db);
  await db`update public.workflows
    set definition = '{"start_step": "b", "steps": {"b": {"transformer_id": "echo"}}}'`;
  const after = await insertJob(db);
  assert.equal((await readJob(db, before)).workflow_version, 1);
  assert.equal((await readJob(db, after)).workflow_version, 2);
});

file.test("prepare_job() makes a job due at once", async (db) => {
  await stopClock(db, NOW);
  const job = await readJob(db, await insertJob(db));
  assert.equal(job.status, "pending");
  assert.equal(job.next_run_at.toISOString(), NOW);
  assert.equal(job.run_at, null);
  assert.deepEqual(job.state_history.map(({ from, to }: Record<string, unknown>) => [from, to]), [
    [null, "pending"],
  ]);
  assert.equal(new Date(job.state_history[0].at).toISOString(), NOW);
});

file.test("prepare_job() makes a job due at its run_at", async (db) => {
  const job = await readJob(db, await insertJob(db, { run_at: "2099-01-01T00:00:00Z" }));
  assert.equal(job.next_run_at.toISOString(), "2099-01-01T00:00:00.000Z");
});

const deadlineOf = (timeout: unknown) => ({
  start_step: "a",
  steps: { a: { transformer_id: "echo" } },
  timeout_seconds: timeout,
});

file.test("prepare_job() sets the deadline from the definition's timeout_seconds", async (db) => {
  await stopClock(db, NOW);
  await db`update public.workflows set definition = ${db.json(deadlineOf(90.5) as never)}`;
  const now = await readJob(db, await insertJob(db));
  assert.equal(now.deadline_at.toISOString(), "2030-05-01T10:01:30.500Z");
  const later = await readJob(db, await insertJob(db, { run_at: "2030-05-02T10:00:00Z" }));
  assert.equal(later.deadline_at.toISOString(), "2030-05-02T10:01:30.500Z");
});

file.test("prepare_job() sets no deadline where the definition has none", async (db) => {
  assert.equal((await readJob(db, await insertJob(db))).deadline_at, null);
});

for (const timeout of ["soon", null, { seconds: 5 }, -5, 1e300]) {
  file.test(`prepare_job() leaves a timeout_seconds of ${JSON.stringify(timeout)} to the engine's check`, async (db) => {
    await db`update public.workflows set definition = ${db.json(deadlineOf(timeout) as never)}`;
    assert.equal((await readJob(db, await insertJob(db))).deadline_at, null);
  });
}

file.test("prepare_job() refuses a job of an unknown workflow with MR001", async (db) => {
  await assert.rejects(insertJob(db, { workflow_id: "two_step" }), {
    code: "MR001",
    message: "Cannot start job as there is no workflow 'two_step'",
  });
});

file.test("prepare_job() refuses input of more than 4 MiB with MR006", async (db) => {
  const padding = (bytes: number) =>
    db`insert into public.jobs (user_id, workflow_id, input_data)
      select id, 'one_step', jsonb_build_object('x', repeat('x', ${bytes}::integer))
      from auth.users limit 1`;
  await padding(4_194_000);
  await assert.rejects(padding(4_194_304), {
    code: "MR006",
    message:
      /^Cannot start job as its input_data must be <= 4194304 bytes: current size is 41943\d\d$/,
  });
});

file.test("prepare_job() refuses input that is small only until somebody reads it", async (db) => {
  for (const number of ["1e308", "1e131071", "-1e131071", "1e-16383"]) {
    const input = `{"a": [${Array(20_000).fill(number).join()}]}`;
    await assert.rejects(
      db`insert into public.jobs (user_id, workflow_id, input_data)
        select id, 'one_step', ${input}::text::jsonb from auth.users limit 1`,
      { code: "MR006" },
    );
  }
});
