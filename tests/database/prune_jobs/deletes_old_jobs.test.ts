import assert from "node:assert/strict";
import type { TestDatabase } from "../../support/database.ts";
import { privateDatabase } from "../../support/private_database.ts";
import { as, insertJob } from "../../support/engine.ts";
import { stopClock } from "../../support/seed_database.ts";

const file = await privateDatabase();

const prune = async (db: TestDatabase, batch = 5000) =>
  (await db`select public.prune_jobs(${batch}) as deleted`)[0]?.deleted;
const addEnded = (db: TestDatabase, completed_at: string, more: Record<string, unknown> = {}) =>
  insertJob(db, { status: "completed", created_at: "2029-01-01T00:00:00Z", completed_at, ...more });
const ids = async (db: TestDatabase) =>
  (await db`select id from public.jobs`).map(({ id }) => id).sort();

file.test("prune_jobs() deletes what ended more than retention_days ago, and all of it", async (db) => {
  await stopClock(db, "2030-01-31T00:00:00Z");
  const old = await addEnded(db, "2029-12-31T23:59:59Z");
  const recent = await addEnded(db, "2030-01-01T00:00:00Z");
  const open = await insertJob(db, { created_at: "2029-01-01T00:00:00Z" });
  await db`insert into public.job_steps (job_id, step_id, visit, attempt, status, started_at, ended_at)
    values (${old}, 'a', 1, 1, 'completed', now(), now())`;
  await db`insert into public.job_events (job_id, type) values (${old}, 'redelivered')`;
  assert.equal(await prune(db), 1);
  assert.deepEqual(await ids(db), [recent, open].sort());
  const [left] = await db`select (select count(*) from public.job_steps) as steps,
    (select count(*) from public.job_events) as events`;
  assert.deepEqual({ ...left }, { steps: 0, events: 0 });
});

file.test("prune_jobs() obeys the setting", async (db) => {
  await stopClock(db, "2030-01-31T00:00:00Z");
  await addEnded(db, "2030-01-29T00:00:00Z");
  assert.equal(await prune(db), 0);
  await db`update millrace.settings set retention_days = 1`;
  assert.equal(await prune(db), 1);
});

file.test("prune_jobs() goes in batches, the oldest first", async (db) => {
  await stopClock(db, "2030-01-31T00:00:00Z");
  const latest = await addEnded(db, "2029-06-03T00:00:00Z");
  await addEnded(db, "2029-06-01T00:00:00Z");
  await addEnded(db, "2029-06-02T00:00:00Z");
  assert.equal(await prune(db, 2), 2);
  assert.deepEqual(await ids(db), [latest]);
  assert.equal(await prune(db, 2), 1);
  assert.equal(await prune(db, 2), 0);
});

file.test("prune_jobs() keeps a child as long as its root, and deletes it with it", async (db) => {
  await stopClock(db, "2030-01-31T00:00:00Z");
  const parent = await addEnded(db, "2030-01-15T00:00:00Z");
  const family = { parent_job_id: parent, parent_step_id: "a", parent_visit: 1, item_index: 0 };
  await addEnded(db, "2029-06-01T00:00:00Z", family);
  assert.equal(await prune(db), 0);
  await stopClock(db, "2030-03-01T00:00:00Z");
  assert.equal(await prune(db), 1);
  assert.deepEqual(await ids(db), []);
});

file.test("prune_jobs() counts children, and deletes one family at least", async (db) => {
  await stopClock(db, "2030-01-31T00:00:00Z");
  const families: string[] = [];
  for (const day of [1, 2, 3]) {
    const at = `2029-06-0${day}T00:00:00Z`;
    const parent = await addEnded(db, at);
    families.push(parent);
    for (const item_index of [0, 1]) {
      await addEnded(db, at, {
        ...{ parent_job_id: parent, parent_step_id: "a", parent_visit: 1, item_index },
      });
    }
  }
  const roots = async () =>
    (await db`select id from public.jobs where parent_job_id is null order by completed_at`)
      .map(({ id }) => id);
  assert.equal(await prune(db, 2), 1, "one that is too large by itself");
  assert.deepEqual(await roots(), families.slice(1));
  assert.equal(await prune(db, 5), 1, "two are six jobs");
  assert.equal(await prune(db, 6), 1);
});

file.test("prune_jobs() works for the service role", async (db) => {
  await addEnded(db, "2029-06-01T00:00:00Z");
  await stopClock(db, "2031-01-01T00:00:00Z");
  assert.equal(await as(db, "service_role", null, (db) => prune(db)), 1);
});
