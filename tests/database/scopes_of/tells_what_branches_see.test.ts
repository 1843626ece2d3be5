import assert from "node:assert/strict";
import { scopeSchema } from "../../../supabase/functions/_shared/contracts/turn.ts";
import { awaitsChildren, spawnOf, startFamily } from "../../support/children.ts";
import { claimOne, insertJob, turn } from "../../support/engine.ts";
import { privateDatabase } from "../../support/private_database.ts";
import { ALICE } from "../../support/seed_database.ts";

const file = await privateDatabase();

file.test("turn() brings the scopes of branches, the outer before the inner, once each", async (db) => {
  const { parent, children: [child = ""] } = await startFamily(db, 1, {}, {
    input_data: { a: 1 },
  });
  const job = await claimOne(db);
  const step_data = { x: { output: 1, status: "completed", error: null, attempts: 1 } } as const;
  const state = { ...awaitsChildren(job, 2).state, previous_step: "x" };
  const reply = await turn(db, {
    commit: {
      jobs: [awaitsChildren(job, 2, { step_data, state })],
      spawns: [spawnOf(job, 2, { visit: 3, lease: true })],
    },
  });
  assert.deepEqual(reply.claimed.map(({ scope }) => scope), Array(2).fill(`${child}:each:3:1`));
  const [outer, inner, ...others] = reply.scopes.map((scope) => scopeSchema.parse(scope));
  if (!outer || !inner) assert.fail();
  assert.deepEqual(others, []);
  const { created_at: _, started_at: __, ...rest } = outer;
  assert.deepEqual(rest, {
    ...{ key: `${parent}:each:1:1`, parent: null, job_id: parent, workflow_id: "one_step" },
    ...{ workflow_version: 1, user_id: ALICE, input_data: { a: 1 }, step_data: {}, item: null },
    ...{ item_index: null, previous_step: null },
  });
  assert.deepEqual(
    [inner.key, inner.parent, inner.job_id, inner.item, inner.item_index, inner.previous_step],
    [`${child}:each:3:1`, `${parent}:each:1:1`, child, { n: 0 }, 0, "x"],
  );
  assert.deepEqual(inner.step_data, step_data);
});

file.test("turn() brings no scope that is known, nor one for a whole workflow", async (db) => {
  const { parent } = await startFamily(db, 1);
  const known_scopes = [`${parent}:each:1:1`];
  const reply = await turn(db, { claim: 1, known_scopes });
  assert.deepEqual([reply.claimed.length, reply.scopes], [1, []]);
  await startFamily(db, 1, { workflow_id: "one_step", children: [{ index: 0, input: 1 }] });
  const whole = await turn(db, { claim: 1 });
  assert.deepEqual([whole.claimed[0]?.scope, whole.scopes], [null, []]);
  await insertJob(db);
  assert.deepEqual((await turn(db, { claim: 1 })).scopes, []);
});

file.test("turn() brings leased children before the jobs of its claim, with their definitions", async (db) => {
  await insertJob(db, { priority: 9 });
  const job = await claimOne(db);
  await insertJob(db, { priority: 8 });
  const reply = await turn(db, {
    claim: 1,
    in_flight: 1,
    commit: { jobs: [awaitsChildren(job, 1)], spawns: [spawnOf(job, 1, { lease: true })] },
  });
  assert.deepEqual(reply.claimed.map(({ depth, priority }) => [depth, priority]), [[1, 9], [0, 8]]);
  assert.deepEqual(reply.definitions.map(({ workflow_id }) => workflow_id), ["one_step"]);
  const [run] = await db`select in_flight, free_slots from public.orchestrators`;
  assert.deepEqual([run?.in_flight, run?.free_slots], [3, 0]);
});

file.test("turn() brings the scope of a child's later run under a key of its own", async (db) => {
  const { parent, children } = await startFamily(db, 1);
  await db`update public.jobs set run_number = 2 where id = ${children[0] ?? ""}`;
  const reply = await turn(db, { claim: 1, known_scopes: [`${parent}:each:1:1`] });
  assert.deepEqual(reply.claimed.map(({ scope }) => scope), [`${parent}:each:1:2`]);
  assert.deepEqual(reply.scopes.map(({ key }) => key), [`${parent}:each:1:2`]);
});

file.test("turn() tells no index of an item in the scope of a workflow that has none", async (db) => {
  await startFamily(db, 1, { workflow_id: "one_step", children: [{ index: 0, input: 1 }] });
  const job = await claimOne(db);
  const reply = await turn(db, {
    commit: { jobs: [awaitsChildren(job, 1)], spawns: [spawnOf(job, 1, { lease: true })] },
  });
  assert.deepEqual(reply.scopes.map((scope) => scope.item_index), [null]);
});
