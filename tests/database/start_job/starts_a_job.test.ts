import assert from "node:assert/strict";
import { privateDatabase } from "../../support/private_database.ts";
import { as, insertJob, readJob } from "../../support/engine.ts";
import { ALICE, BOB, queuedCalls, setSecrets } from "../../support/seed_database.ts";

const file = await privateDatabase();
const TRACE = "7ace0000-0000-4000-8000-000000000003";

file.test("start_job() starts a pending job of the caller's, with defaults", async (db) => {
  const [row] = await as(
    db,
    "authenticated",
    ALICE,
    (db) => db`select public.start_job('one_step') as reply`,
  );
  const job = await readJob(db, row?.reply.job_id);
  assert.deepEqual(
    { ...row?.reply, created_at: new Date(row?.reply.created_at) },
    { job_id: job.id, status: "pending", created_at: job.created_at, created: true, kick: false },
  );
  const { user_id, input_data, priority, max_retries, metadata, idempotency_key, run_at } = job;
  assert.deepEqual(
    { user_id, input_data, priority, max_retries, metadata, idempotency_key, run_at },
    {
      ...{ user_id: ALICE, input_data: {}, priority: 5, max_retries: 3, metadata: {} },
      ...{ idempotency_key: null, run_at: null },
    },
  );
});

file.test("start_job() keeps all that it is told", async (db) => {
  const runAt = new Date("2099-01-01T00:00:00Z");
  const [row] = await db`select public.start_job('one_step', '{"a": [0, false, "", null]}', 'key-1',
    9, ${runAt}, '{"from": "test"}', 7, ${TRACE}, ${BOB}) as reply`;
  const job = await readJob(db, row?.reply.job_id);
  const { user_id, input_data, priority, max_retries, metadata, idempotency_key, trace_id } = job;
  assert.deepEqual(
    { user_id, input_data, priority, max_retries, metadata, idempotency_key, trace_id },
    {
      ...{ user_id: BOB, input_data: { a: [0, false, "", null] }, priority: 9, max_retries: 7 },
      ...{ metadata: { from: "test" }, idempotency_key: "key-1", trace_id: TRACE },
    },
  );
  assert.deepEqual(job.run_at, runAt);
  assert.deepEqual(job.next_run_at, runAt);
});

file.test("start_job() keeps text that looks like SQL as it is", async (db) => {
  const text = `'; drop table jobs; -- "\\ \u{1F600} \u0001`;
  const [row] = await db`select public.start_job('one_step', ${db.json({ text })},
    p_user_id => ${ALICE}) as reply`;
  assert.deepEqual((await readJob(db, row?.reply.job_id)).input_data, { text });
});

file.test("start_job() starts a job for anybody when the service role asks", async (db) => {
  const [row] = await as(
    db,
    "service_role",
    null,
    (db) => db`select public.start_job('one_step', p_user_id => ${BOB}) as reply`,
  );
  assert.equal((await readJob(db, row?.reply.job_id)).user_id, BOB);
});

file.test("start_job() does not start a job for another user", async (db) => {
  await assert.rejects(
    as(
      db,
      "authenticated",
      ALICE,
      (db) => db`select public.start_job('one_step', p_user_id => ${BOB})`,
    ),
    { code: "42501", message: 'new row violates row-level security policy for table "jobs"' },
  );
  assert.equal((await db`select from public.jobs`).count, 0);
});

file.test("start_job() refuses a caller without a user with MR009", async (db) => {
  for (const role of ["authenticated", "service_role"] as const) {
    await assert.rejects(
      as(db, role, null, (db) => db`select public.start_job('one_step')`),
      {
        code: "MR009",
        message: "Cannot start job as there is no user: pass p_user_id or call as a signed-in user",
      },
    );
  }
});

file.test("start_job() refuses an unknown workflow with MR001", async (db) => {
  await assert.rejects(
    as(db, "authenticated", ALICE, (db) => db`select public.start_job('two_step')`),
    { code: "MR001", message: "Cannot start job as there is no workflow 'two_step'" },
  );
});

file.test("start_job() refuses a priority and retries out of range by name", async (db) => {
  const start = (named: string) =>
    as(
      db,
      "authenticated",
      ALICE,
      (db) => db.unsafe(`select public.start_job('one_step', ${named})`),
    );
  await assert.rejects(start("p_priority => 10"), { constraint_name: "jobs_priority_range" });
  await assert.rejects(start("p_max_retries => -1"), { constraint_name: "jobs_max_retries_range" });
  await assert.rejects(start("p_metadata => '[]'"), { constraint_name: "jobs_metadata_object" });
});

/** The reply's kick, and how many calls the database has queued itself. */
const KICKS: [
  title: string,
  named: string,
  orchestrator: string | null,
  expected: [boolean, number],
][] = [
  ["has the database kick", "p_kick => true", null, [false, 1]],
  ["leaves the kick to a caller who wants it", "p_kick => false", null, [true, 0]],
  [
    "needs no kick for a job that is due later",
    "p_kick => false, p_run_at => now() + interval '1 hour'",
    null,
    [false, 0],
  ],
  [
    "needs no kick while an orchestrator is busy",
    "p_kick => false",
    "now() + interval '1 minute', 5, 3, 8",
    [false, 0],
  ],
  ["has nobody kick while one is busy", "p_kick => true", "now() + interval '1 minute', 5, 3, 8", [
    false,
    0,
  ]],
  [
    "needs a kick when the busy one is full",
    "p_kick => false",
    "now() + interval '1 minute', 5, 0, 8",
    [true, 0],
  ],
  [
    "needs a kick when the busy one idles",
    "p_kick => false",
    "now() + interval '1 minute', 0, 9, 7",
    [true, 0],
  ],
  [
    "needs a kick when the busy one went silent",
    "p_kick => false",
    "now() - interval '1 second', 5, 3, 8",
    [true, 0],
  ],
];

for (const [title, named, orchestrator, expected] of KICKS) {
  file.test(`start_job() ${title}`, async (db) => {
    await setSecrets(db);
    const reply = await as(db, "authenticated", ALICE, async (db) => {
      if (orchestrator !== null) {
        await db.unsafe("set local role postgres");
        await db.unsafe(`insert into public.orchestrators
          (lease_token, started_at, last_turn_at, in_flight, free_slots, last_batch)
          values (gen_random_uuid(), now(), ${orchestrator})`);
        await db.unsafe("set local role authenticated");
      }
      const [row] = await db.unsafe(`select public.start_job('one_step', ${named}) as reply`);
      return row?.reply;
    });
    assert.deepEqual([reply.kick, (await queuedCalls(db)).length], expected);
  });
}

file.test("start_job() leaves the database kicking for inserts in the same session", async (db) => {
  await setSecrets(db);
  await as(
    db,
    "authenticated",
    ALICE,
    (db) => db`select public.start_job('one_step', p_kick => false)`,
  );
  await insertJob(db);
  assert.equal((await queuedCalls(db)).length, 1);
});
