import assert from "node:assert/strict";
import { claimedJobSchema } from "../../../supabase/functions/_shared/contracts/turn.ts";
import { awaitsChildren, childrenOf, spawnOf, startFamily } from "../../support/children.ts";
import {
  claim,
  claimOne,
  commit,
  commitOf,
  insertJob,
  OTHER_TOKEN,
  readJob,
  TOKEN,
} from "../../support/engine.ts";
import { privateDatabase } from "../../support/private_database.ts";
import { queuedCalls, setSecrets, stopClock } from "../../support/seed_database.ts";

const file = await privateDatabase();
const NOW = "2030-01-01T12:00:00.000Z";

file.test("spawn_children() inserts a child for each item, queued", async (db) => {
  await stopClock(db, NOW);
  const { parent, children } = await startFamily(db, 2, {}, { max_retries: 7 });
  assert.equal(children.length, 2);
  const row = await readJob(db, parent);
  assert.deepEqual([row.status, row.open_children, row.failed_children], ["waiting", 2, 0]);
  assert.deepEqual([row.max_failed_children, row.next_run_at], [0, null]);
  const second = await readJob(db, children[1] ?? "");
  const { user_id, trace_id, workflow_id, workflow_version } = row;
  const expected = {
    ...{ user_id, trace_id, workflow_id, workflow_version, priority: 9, max_retries: 7 },
    ...{ parent_job_id: parent, parent_step_id: "each", parent_visit: 1, root_job_id: parent },
    ...{ depth: 1, branch: "each", item: { n: 1 }, item_index: 1, current_step_id: "work" },
    ...{ status: "pending", input_data: null, slot_key: null, held_slots: null, run_number: 1 },
    ...{ inherited_slots: null, started_at: null, deadline_at: null, version: "0" },
    ...{ next_run_at: new Date(NOW), created_at: new Date(NOW) },
  };
  const actual = Object.fromEntries(Object.keys(expected).map((key) => [key, second[key]]));
  assert.deepEqual({ ...actual, version: String(actual["version"]) }, expected);
  assert.deepEqual(second.state_history.map(({ to }: { to: string }) => to), ["pending"]);
});

file.test("spawn_children() queues children as if their user had started them in order", async (db) => {
  const { children } = await startFamily(db, 3);
  const claimed = await claim(db, 10);
  assert.deepEqual(claimed.map(({ job_id }) => job_id), children);
});

file.test("spawn_children() tells an item that is JSON null from none", async (db) => {
  const { children } = await startFamily(db, 2, {
    children: [
      { index: 0, branch: "each", start_step: "work", item: null },
      { index: 1, branch: "fan.left", start_step: "work" },
    ],
  });
  const rows = await db`select item is null as none from public.jobs
    where id = any (${children}) order by item_index`;
  assert.deepEqual(rows.map(({ none }) => none), [false, true]);
  assert.deepEqual((await claim(db)).map(({ item }) => item), [null, null]);
});

file.test("spawn_children() leases all children to the caller where it asks for that", async (db) => {
  await stopClock(db, NOW);
  const { children, reply } = await startFamily(db, 2, { lease: true });
  const [first, second] = reply.claimed.map((job) => claimedJobSchema.parse(job));
  if (!first || !second) assert.fail();
  assert.deepEqual([first.job_id, second.job_id], children);
  assert.deepEqual([first.version, first.depth, first.item], [2, 1, { n: 0 }]);
  const row = await readJob(db, first.job_id);
  assert.deepEqual([row.status, row.lease_token, row.queue_place], ["running", TOKEN, null]);
  assert.equal(row.next_run_at.toISOString(), "2030-01-01T12:00:30.000Z");
  assert.deepEqual(row.state_history.map(({ to }: { to: string }) => to), ["pending", "running"]);
  assert.deepEqual(await claim(db), []);
  const done = await commit(db, [commitOf(first), commitOf(second)]);
  assert.deepEqual(done.results.map(({ committed }) => committed), [true, true]);
});

file.test("spawn_children() starts whole workflows at the version asked for, with their deadline", async (db) => {
  await stopClock(db, NOW);
  const definition = (start: string, timeout?: number) =>
    db.json({
      ...{ start_step: start, steps: { [start]: { transformer_id: "echo" } } },
      ...(timeout === undefined ? {} : { timeout_seconds: timeout }),
    });
  await db`insert into public.workflows (id, definition) values ('other', ${definition("x", 60)})`;
  await db`update public.workflows set definition = ${definition("y")} where id = 'other'`;
  const whole = {
    workflow_id: "other",
    children: [{ index: 0, input: { a: 1 } }, { index: 1, input: null }],
  };
  for (
    const [version, at, deadline] of [[1, "x", "2030-01-01T12:01:00.000Z"], [
      null,
      "y",
      null,
    ]] as const
  ) {
    const { children } = await startFamily(db, 2, { ...whole, workflow_version: version });
    const [first, second] = await Promise.all(children.map((id) => readJob(db, id)));
    assert.deepEqual([first?.workflow_id, first?.workflow_version], ["other", version ?? 2]);
    assert.deepEqual([first?.current_step_id, first?.branch, first?.item], [at, null, null]);
    assert.deepEqual([first?.input_data, second?.input_data], [{ a: 1 }, null]);
    assert.equal(first?.deadline_at?.toISOString() ?? null, deadline);
    await db`delete from public.jobs`;
  }
});

file.test("spawn_children() starts a detached root that nobody counts", async (db) => {
  await insertJob(db, { priority: 7 });
  const job = await claimOne(db);
  const id = crypto.randomUUID();
  const spawn = spawnOf(job, 1, {
    ...{ detached: true, workflow_id: "one_step", children: [{ index: 0, id, input: { a: 1 } }] },
  });
  await commit(db, [commitOf(job)], { spawns: [spawn] });
  const row = await readJob(db, id);
  assert.deepEqual([row.parent_job_id, row.root_job_id, row.depth, row.item_index], [
    ...[null, null, 0, null],
  ]);
  assert.deepEqual([row.status, row.priority, row.user_id, row.input_data], [
    ...["pending", 7, job.user_id, { a: 1 }],
  ]);
  assert.equal((await readJob(db, job.job_id)).open_children, 0);
  // The same again, after an unclear failure, starts no second one.
  await commit(db, [commitOf({ ...job, version: job.version + 1 })], { spawns: [spawn] });
  assert.equal((await db`select from public.jobs`).count, 2);
});

file.test("spawn_children() has children inherit the slots above them, and a grandchild its root", async (db) => {
  const { parent, children } = await startFamily(db, 1);
  await db`update public.jobs set held_slots = '{a,b}', inherited_slots = '{c}'
    where id = ${children[0] ?? ""}`;
  const job = await claimOne(db);
  await commit(db, [awaitsChildren(job, 1)], { spawns: [spawnOf(job, 1)] });
  const [grandchild] = await claim(db);
  assert.deepEqual(grandchild?.inherited_slots, ["a", "b", "c"]);
  assert.deepEqual([grandchild?.depth, grandchild?.parent_job_id], [2, job.job_id]);
  assert.equal((await readJob(db, grandchild?.job_id ?? "")).root_job_id, parent);
});

file.test("spawn_children() lets max_running children start and has the others wait", async (db) => {
  const { parent, children } = await startFamily(db, 3, { max_running: 2 });
  const key = `map:${parent}:each:1`;
  const rows = await db`select id, held_slots, wanted_slot, slot_key, next_run_at from public.jobs
    where parent_job_id = ${parent} order by item_index`;
  assert.deepEqual(rows.map(({ held_slots, wanted_slot }) => [held_slots, wanted_slot]), [
    ...[[[key], null], [[key], null], [null, key]],
  ]);
  assert.deepEqual(rows.map(({ slot_key }) => slot_key), [key, key, key]);
  assert.equal(rows[2]?.next_run_at, null);
  const [slot] = await db`select * from millrace.slots`;
  assert.deepEqual({ ...slot }, { key, capacity: 2, in_use: 2, job_id: parent });
  assert.deepEqual((await claim(db)).map(({ job_id }) => job_id), children.slice(0, 2));
});

file.test("spawn_children() makes no slots where all children may run", async (db) => {
  await startFamily(db, 2, { max_running: 2 });
  assert.equal((await db`select from millrace.slots`).count, 0);
});

file.test("spawn_children() starts nothing for a commit that was lost", async (db) => {
  const id = await insertJob(db);
  const job = await claimOne(db);
  const lost = await commit(
    db,
    [awaitsChildren(job, 1)],
    { spawns: [spawnOf(job, 1)] },
    OTHER_TOKEN,
  );
  assert.equal(lost.results[0]?.committed, false);
  assert.deepEqual(await childrenOf(db, id), []);
});

file.test("spawn_children() starts children once, however often their commit is sent", async (db) => {
  const id = await insertJob(db);
  const job = await claimOne(db);
  const send = () => commit(db, [awaitsChildren(job, 1)], { spawns: [spawnOf(job, 1)] });
  await send();
  await send();
  assert.equal((await childrenOf(db, id)).length, 1);
  assert.equal((await readJob(db, id)).open_children, 1);
});

file.test("spawn_children() calls no orchestrator: the one that commits looks itself", async (db) => {
  await setSecrets(db);
  await db`select set_config('millrace.kick', 'caller', false)`;
  const id = await insertJob(db);
  await db`select set_config('millrace.kick', '', false)`;
  const job = await claimOne(db);
  await commit(db, [awaitsChildren(job, 2)], {
    spawns: [spawnOf(job, 2), spawnOf(job, 1, { workflow_id: "gone" })],
  });
  assert.deepEqual(await queuedCalls(db), []);
  assert.equal((await childrenOf(db, id)).length, 2);
});

file.test("spawn_children() refuses an id that is taken, as the child would be waited for", async (db) => {
  const taken = await insertJob(db);
  await insertJob(db, { priority: 9 });
  const job = await claimOne(db);
  const spawn = spawnOf(job, 1, {
    children: [{ index: 0, id: taken, branch: "each", start_step: "work" }],
  });
  await assert.rejects(commit(db, [awaitsChildren(job, 1)], { spawns: [spawn] }), {
    code: "23505",
    constraint_name: "jobs_pkey",
  });
});
