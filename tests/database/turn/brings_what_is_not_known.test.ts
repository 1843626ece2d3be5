import assert from "node:assert/strict";
import { privateDatabase } from "../../support/private_database.ts";
import { claim, insertJob, turn } from "../../support/engine.ts";
import { stopClock } from "../../support/seed_database.ts";

const file = await privateDatabase();
const definitionOf = (step: string) => ({
  start_step: step,
  steps: { [step]: { transformer_id: "echo" } },
});

file.test("turn() brings each definition of the claimed jobs once", async (db) => {
  await insertJob(db);
  await insertJob(db);
  await db`update public.workflows set definition = ${db.json(definitionOf("b"))}`;
  await insertJob(db);
  await db`insert into public.workflows (id, definition) values ('unused', ${
    db.json(definitionOf("c"))
  })`;
  const { definitions } = await turn(db, { claim: 10 });
  const byVersion = definitions.toSorted((a, b) => a.version - b.version);
  assert.deepEqual(byVersion, [
    { workflow_id: "one_step", version: 1, definition: definitionOf("a") },
    { workflow_id: "one_step", version: 2, definition: definitionOf("b") },
  ]);
});

file.test("turn() brings no definition that the caller knows", async (db) => {
  await insertJob(db);
  await db`update public.workflows set definition = ${db.json(definitionOf("b"))}`;
  await insertJob(db);
  const { claimed, definitions } = await turn(db, {
    claim: 10,
    known_definitions: ["one_step@1", "other@2"],
  });
  assert.equal(claimed.length, 2);
  assert.deepEqual(definitions.map(({ version }) => version), [2]);
});

file.test("turn() brings the transformers only when the catalog has changed", async (db) => {
  const first = await turn(db);
  assert.deepEqual(first.transformers, [
    {
      ...{ id: "echo", type: "echo", config: {}, target_function: "execute-echo" },
      ...{ batch_size: 20, retry: null },
    },
  ]);
  assert.equal(first.callback_secret?.length, 64);

  const known = { catalog_revision: first.catalog_revision };
  const second = await turn(db, known);
  assert.deepEqual([second.transformers, second.callback_secret], [null, null]);
  assert.equal(second.catalog_revision, first.catalog_revision);

  await db`update public.transformers set batch_size = 7`;
  const third = await turn(db, known);
  assert.deepEqual(third.transformers?.map(({ batch_size }) => batch_size), [7]);
  assert.equal(third.catalog_revision, first.catalog_revision + 1);
});

file.test("turn() brings an empty list when there is no transformer", async (db) => {
  await db`delete from public.workflows`;
  await db`delete from public.transformers`;
  assert.deepEqual((await turn(db)).transformers, []);
});

file.test("turn() looks ahead to the next due time, of any priority, when it claims nothing", async (db) => {
  await stopClock(db, "2030-01-01T12:00:00Z");
  await insertJob(db, { priority: 9, run_at: "2030-01-01T14:00:00Z" });
  await insertJob(db, { priority: 0, run_at: "2030-01-01T13:00:00Z" });
  const { next_run_at } = await turn(db, { claim: 5, look_ahead: true });
  assert.equal(new Date(next_run_at ?? 0).toISOString(), "2030-01-01T13:00:00.000Z");
  assert.equal((await turn(db, { claim: 5 })).next_run_at, null);
});

file.test("turn() does not look ahead when it has claimed, nor where nothing is planned", async (db) => {
  assert.equal((await turn(db, { claim: 5, look_ahead: true })).next_run_at, null);
  await insertJob(db, { run_at: "2099-01-01T00:00:00Z" });
  await insertJob(db);
  const { claimed, next_run_at } = await turn(db, { claim: 5, look_ahead: true });
  assert.deepEqual([claimed.length, next_run_at], [1, null]);
});

file.test("turn() tells of leases too: their expiry is the next thing to look at", async (db) => {
  await stopClock(db, "2030-01-01T12:00:00Z");
  await insertJob(db);
  await claim(db, 1);
  const { next_run_at } = await turn(db, { claim: 5, look_ahead: true });
  assert.equal(new Date(next_run_at ?? 0).toISOString(), "2030-01-01T12:00:30.000Z");
});

file.test("turn() keeps one row of the run and removes it when the run leaves", async (db) => {
  await stopClock(db, "2030-01-01T12:00:00Z");
  await turn(db, { claim: 3, in_flight: 2 });
  await stopClock(db, "2030-01-01T12:00:01Z");
  await turn(db, { claim: 1, in_flight: 0 });
  const rows = await db`select started_at, last_turn_at, in_flight, free_slots, last_batch
    from public.orchestrators`;
  assert.deepEqual([...rows], [
    {
      started_at: new Date("2030-01-01T12:00:00Z"),
      last_turn_at: new Date("2030-01-01T12:00:01Z"),
      ...{ in_flight: 0, free_slots: 1, last_batch: 0 },
    },
  ]);
  await turn(db, { leaving: true });
  assert.equal((await db`select from public.orchestrators`).count, 0);
});
