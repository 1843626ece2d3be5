import assert from "node:assert/strict";
import type { TestDatabase } from "../../support/database.ts";
import { privateDatabase } from "../../support/private_database.ts";
import { as, hold, pidOf, waitUntilBlocked } from "../../support/engine.ts";
import { ALICE, BOB } from "../../support/seed_database.ts";

const file = await privateDatabase();

const start = async (db: TestDatabase, input: unknown = { n: 1 }, workflow = "one_step") =>
  (await db`select public.start_job(${workflow}, ${db.json(input as never)}, 'key-1') as reply`)[0]
    ?.reply;
const startAs = (db: TestDatabase, user: string, input?: unknown, workflow?: string) =>
  as(db, "authenticated", user, (db) => start(db, input, workflow));

file.test("start_job() gives the same job for the same key", async (db) => {
  const first = await startAs(db, ALICE);
  const again = await startAs(db, ALICE);
  assert.equal(first.created, true);
  assert.deepEqual(again, { ...first, created: false, kick: false });
  assert.equal((await db`select from public.jobs`).count, 1);
});

file.test("start_job() answers the status that the job has by now", async (db) => {
  await startAs(db, ALICE);
  await db`update public.jobs set status = 'cancelled', completed_at = now(), next_run_at = null,
    queue_place = null`;
  assert.equal((await startAs(db, ALICE)).status, "cancelled");
});

file.test("start_job() keeps the keys of users apart", async (db) => {
  const alices = await startAs(db, ALICE);
  const bobs = await startAs(db, BOB);
  assert.equal(bobs.created, true);
  assert.notEqual(bobs.job_id, alices.job_id);
});

file.test("start_job() refuses a key that was used with other input, MR003", async (db) => {
  const { job_id } = await startAs(db, ALICE);
  await assert.rejects(startAs(db, ALICE, { n: 2 }), {
    code: "MR003",
    message:
      "Cannot start job as idempotency_key 'key-1' was used with another workflow or input " +
      `by job ${job_id}`,
  });
});

file.test("start_job() refuses a key that was used with another workflow, MR003", async (db) => {
  await db`insert into public.workflows (id, definition)
    select 'other', definition from public.workflows`;
  await startAs(db, ALICE);
  await assert.rejects(startAs(db, ALICE, { n: 1 }, "other"), { code: "MR003" });
});

file.test("start_job() takes input that is equal though written otherwise", async (db) => {
  await startAs(db, ALICE, { a: 1, b: 2 });
  assert.equal((await startAs(db, ALICE, { b: 2, a: 1 })).created, false);
});

file.test("start_job() makes one job when two connections race", async (db) => {
  await using other = file.connect();
  const pid = await pidOf(other);
  const replies: { job_id: string; created: boolean }[] = [];
  const commit = await hold(db, async (db) => replies.push(await startForAlice(db)));
  const second = startAs(other, ALICE);
  await using watch = file.connect();
  await waitUntilBlocked(watch, pid);
  await commit();
  replies.push(await second);
  assert.deepEqual(replies.map(({ created }) => created), [true, false]);
  assert.equal(replies[0]?.job_id, replies[1]?.job_id);
});

file.test("start_job() makes the job when the one it raced with is rolled back", async (db) => {
  await using other = file.connect();
  const pid = await pidOf(other);
  const undo = new Error("undo");
  const ready = Promise.withResolvers<void>();
  const blocked = Promise.withResolvers<void>();
  const first = db.begin(async (db) => {
    await startForAlice(db as unknown as TestDatabase);
    ready.resolve();
    await blocked.promise;
    throw undo;
  });
  const failed = assert.rejects(first, undo);
  await ready.promise;
  const second = startAs(other, ALICE);
  await using watch = file.connect();
  await waitUntilBlocked(watch, pid);
  blocked.resolve();
  await failed;
  assert.equal((await second).created, true);
  assert.equal((await db`select from public.jobs`).count, 1);
});

/** As postgres, for Alice. */
async function startForAlice(db: TestDatabase): Promise<{ job_id: string; created: boolean }> {
  const [row] = await db`
    select public.start_job('one_step', '{"n": 1}', 'key-1', p_user_id => ${ALICE}) as reply`;
  return row?.reply;
}
