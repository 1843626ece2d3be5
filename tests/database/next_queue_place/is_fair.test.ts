import assert from "node:assert/strict";
import { startFamily } from "../../support/children.ts";
import type { TestDatabase } from "../../support/database.ts";
import { claim, insertJob, readJob } from "../../support/engine.ts";
import { privateDatabase } from "../../support/private_database.ts";
import { ALICE, BOB } from "../../support/seed_database.ts";

const file = await privateDatabase();

const queue = (db: TestDatabase, user: string, count: number) =>
  db`insert into public.jobs (user_id, workflow_id)
    select ${user}, 'one_step' from generate_series(1, ${count}::integer)`;

const users = async (db: TestDatabase, limit: number) =>
  (await claim(db, limit)).map(({ user_id }) => user_id === ALICE ? "a" : "b").join("");

file.test("next_queue_place() starts the one job of a user beside 10,000 of another within two claims", async (db) => {
  await queue(db, ALICE, 10_000);
  assert.equal(await users(db, 100), "a".repeat(100));
  await queue(db, BOB, 1);
  const claims = [await users(db, 1), await users(db, 1)];
  assert.ok(claims.includes("b"), claims.join(", "));
});

file.test("next_queue_place() goes round over the users", async (db) => {
  await queue(db, ALICE, 5);
  await queue(db, BOB, 3);
  assert.equal(await users(db, 10), "abababaa");
});

file.test("next_queue_place() lets nobody save up turns while he has no jobs", async (db) => {
  await queue(db, ALICE, 10);
  await users(db, 6);
  await queue(db, BOB, 4);
  assert.equal(await users(db, 10), "abababab");
});

file.test("next_queue_place() goes round within a priority only", async (db) => {
  await queue(db, ALICE, 2);
  await insertJob(db, { user_id: BOB, priority: 6 });
  await insertJob(db, { user_id: BOB, priority: 4 });
  assert.equal(await users(db, 10), "baab");
});

file.test("next_queue_place() has the children of one user's map take turns with another user", async (db) => {
  await startFamily(db, 4, {}, { priority: 5 });
  await queue(db, BOB, 2);
  assert.equal(await users(db, 10), "ababaa");
});

file.test("prepare_job() gives a place to what is due, and none to what is not", async (db) => {
  const due = await readJob(db, await insertJob(db));
  const past = await readJob(db, await insertJob(db, { run_at: "2020-01-01T00:00:00Z" }));
  const future = await readJob(db, await insertJob(db, { run_at: "2999-01-01T00:00:00Z" }));
  assert.deepEqual([due, past, future].map(({ queue_place }) => queue_place), [0, 1, null]);
});

file.test("wake_job() has what a message came for not wait behind what is yet to be started", async (db) => {
  await queue(db, BOB, 3);
  const id = await insertJob(db);
  await db`insert into public.job_inbox (job_id, kind) values (${id}, 'cancel')`;
  assert.deepEqual((await claim(db, 1)).map(({ job_id }) => job_id), [id]);
});
