import assert from "node:assert/strict";
import type { TestDatabase } from "../../support/database.ts";
import { privateDatabase } from "../../support/private_database.ts";
import { as, claim, claimOne, insertJob, readJob } from "../../support/engine.ts";
import { ALICE, BOB, queuedCalls, setSecrets, stopClock } from "../../support/seed_database.ts";

const file = await privateDatabase();

const retry = async (db: TestDatabase, id: string, args: Record<string, unknown> = {}) => {
  const { from = null, input = null, failedOnly = true, kick = true } = args;
  const [row] = await db`select public.retry_job(${id}, ${from as string | null},
    ${input === null ? null : db.json(input as never)}, ${failedOnly as boolean},
    ${kick as boolean}) as reply`;
  return row?.reply;
};
const retryAs = (db: TestDatabase, user: string, id: string, args: Record<string, unknown> = {}) =>
  as(db, "authenticated", user, (db) => retry(db, id, args));

/** A job that has failed in its second step. */
function insertFailed(db: TestDatabase, columns: Record<string, unknown> = {}): Promise<string> {
  return insertJob(db, {
    status: "failed",
    current_step_id: "b",
    step_data: db.json({ a: { output: 1, status: "completed", error: null, attempts: 1 } }),
    state: db.json({ visit: 1, attempt: 3 }),
    error: db.json({ code: "http_5xx", message: "down", retryable: true }),
    error_message: "down",
    final_result: db.json({}),
    retry_count: 2,
    redeliveries: 1,
    started_at: "2026-01-01T00:00:00Z",
    created_at: "2026-01-01T00:00:00Z",
    completed_at: "2026-01-01T00:10:00Z",
    ...columns,
  });
}

file.test("retry_job() makes a failed job due again and keeps what it has got", async (db) => {
  const id = await insertFailed(db);
  const before = await readJob(db, id);
  const reply = await retryAs(db, ALICE, id);
  assert.deepEqual(reply, { job_id: id, status: "pending", run_number: 2, kick: false });
  const after = await readJob(db, id);
  assert.deepEqual(
    [after.status, after.completed_at, after.error, after.error_message, after.final_result],
    ["pending", null, null, null, null],
  );
  assert.deepEqual([after.retry_count, after.redeliveries, after.run_number], [0, 0, 2]);
  assert.deepEqual(
    [after.step_data, after.state, after.current_step_id, after.input_data, after.deadline_at],
    [before.step_data, before.state, "b", before.input_data, null],
  );
  const [, entry] = after.state_history;
  assert.deepEqual([entry.from, entry.to], ["failed", "pending"]);
  const { messages } = await claimOne(db);
  assert.deepEqual(messages.map(({ kind, payload }) => [kind, payload]), [
    ["retry", { from_step: null, failed_items_only: true }],
  ]);
});

for (const from of ["a", "b"]) {
  file.test(`retry_job() tells the engine to go on from step '${from}'`, async (db) => {
    const id = await insertFailed(db, { status: "cancelled" });
    await retryAs(db, ALICE, id, { from, failedOnly: false, input: { edited: 0 } });
    const { messages, input_data } = await claimOne(db);
    assert.deepEqual(messages[0]?.payload, { from_step: from, failed_items_only: false });
    assert.deepEqual(input_data, { edited: 0 });
  });
}

file.test("retry_job() gives a job the place in the queue of a new one", async (db) => {
  const theirs = [await insertJob(db), await insertJob(db), await insertJob(db)];
  const id = await insertFailed(db, { user_id: BOB });
  await retry(db, id);
  const claimed = (await claim(db, 2)).map(({ job_id }) => job_id);
  assert.deepEqual(claimed.toSorted(), [theirs[0], id].toSorted());
});

file.test("retry_job() gives the job the time again that its definition allows", async (db) => {
  const definition = {
    start_step: "a",
    timeout_seconds: 600,
    steps: { a: { transformer_id: "echo" } },
  };
  await db`insert into public.workflows (id, definition) values ('timed', ${db.json(definition)})`;
  const id = await insertFailed(db, { workflow_id: "timed" });
  for (
    const [at, deadline] of [
      ["2026-02-01T00:00:00Z", "2026-02-01T00:10:00Z"],
      ["2026-03-01T00:00:00Z", "2026-03-01T00:10:00Z"],
    ] as const
  ) {
    await stopClock(db, at);
    await retry(db, id);
    assert.deepEqual((await readJob(db, id)).deadline_at, new Date(deadline));
    await db`update public.jobs set status = 'cancelled', next_run_at = null, queue_place = null,
      completed_at = millrace.now()`;
  }
});

file.test("retry_job() moves a deadline that no definition has set", async (db) => {
  await stopClock(db, "2026-02-01T00:00:00Z");
  const id = await insertFailed(db, { deadline_at: "2026-01-01T00:05:00Z" });
  await retry(db, id);
  assert.deepEqual((await readJob(db, id)).deadline_at, new Date("2026-02-01T00:05:00Z"));
});

file.test("retry_job() of a job that was cancelled before its first step", async (db) => {
  const id = await insertFailed(db, {
    status: "cancelled",
    current_step_id: null,
    started_at: null,
    step_data: db.json({}),
  });
  await retryAs(db, ALICE, id);
  assert.equal((await claimOne(db)).current_step_id, "a");
});

for (const kick of [true, false]) {
  file.test(`retry_job() leaves the kick to ${kick ? "the database" : "its caller"}`, async (db) => {
    await setSecrets(db);
    const id = await insertFailed(db);
    await db`delete from net.http_request_queue`;
    await db`update millrace.pulse set last_kick_at = null`;
    const reply = await retryAs(db, ALICE, id, { kick });
    assert.equal(reply.kick, !kick);
    assert.equal((await queuedCalls(db)).length, kick ? 1 : 0);
  });
}

for (const status of ["pending", "waiting", "paused"]) {
  file.test(`retry_job() refuses a job that is ${status}, MR013`, async (db) => {
    const id = await insertJob(db, { status });
    await assert.rejects(retryAs(db, ALICE, id), {
      code: "MR013",
      message:
        `Cannot retry job ${id} as its status must be failed or cancelled: current value is ${status}`,
    });
  });
}

file.test("retry_job() refuses a child and names its root, MR013", async (db) => {
  const root = await insertFailed(db);
  const child = await insertFailed(db, {
    parent_job_id: root,
    parent_step_id: "b",
    parent_visit: 1,
    root_job_id: root,
    depth: 1,
    workflow_version: 1,
  });
  await assert.rejects(retryAs(db, ALICE, child), {
    code: "MR013",
    message: `Cannot retry job ${child} as it is a child: retry its root ${root} instead`,
  });
});

file.test("retry_job() refuses a step that the job has not been in, MR008", async (db) => {
  const id = await insertFailed(db);
  await assert.rejects(retryAs(db, ALICE, id, { from: "c" }), {
    code: "MR008",
    message: `Cannot retry job ${id} from step 'c' as the job has not been there`,
  });
});

file.test("retry_job() refuses input that is too large, MR006", async (db) => {
  const id = await insertFailed(db);
  await assert.rejects(retryAs(db, ALICE, id, { input: { x: "x".repeat(4_194_304) } }), {
    code: "MR006",
  });
});

file.test("retry_job() does not see another user's job, MR002", async (db) => {
  const id = await insertFailed(db);
  await assert.rejects(retryAs(db, BOB, id), {
    code: "MR002",
    message: `Cannot retry job as there is no job ${id}`,
  });
  assert.equal((await readJob(db, id)).status, "failed");
});
