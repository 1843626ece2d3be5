import assert from "node:assert/strict";
import type { Spawn } from "../../../supabase/functions/_shared/contracts/turn.ts";
import { awaitsChildren, childrenOf, spawnOf } from "../../support/children.ts";
import { claimOne, commit, commitOf, insertJob, readJob } from "../../support/engine.ts";
import { privateDatabase } from "../../support/private_database.ts";

const file = await privateDatabase();

const REFUSED: [why: string, spawn: Partial<Spawn>, message: string][] = [
  ["a workflow that is not there", { workflow_id: "gone" }, "there is no workflow 'gone'"],
  [
    "a version that never was",
    { workflow_id: "one_step", workflow_version: 9 },
    "there is no version 9 of workflow 'one_step'",
  ],
  [
    "an input that is too large",
    { workflow_id: "one_step", children: [{ index: 0, input: "x".repeat(4_194_304) }] },
    "its input_data must be <= 4194304 bytes: current size is 4194306",
  ],
];

for (const [why, columns, message] of REFUSED) {
  file.test(`spawn_children() tells a parent of ${why}, and wakes it`, async (db) => {
    const id = await insertJob(db);
    const job = await claimOne(db);
    const count = columns.children?.length ?? 2;
    const reply = await commit(db, [awaitsChildren(job, count)], {
      spawns: [spawnOf(job, count, columns)],
    });
    assert.equal(reply.results[0]?.committed, true);
    assert.deepEqual(await childrenOf(db, id), []);
    assert.equal((await readJob(db, id)).open_children, 0);
    const [woken] = [await claimOne(db)];
    const [refusal] = woken.messages;
    assert.deepEqual([refusal?.kind, refusal?.step_id, refusal?.visit], [
      ...["spawn_refused", "each", 1],
    ]);
    assert.deepEqual(refusal?.payload, { message: `Cannot start job as ${message}` });
  });
}

file.test("spawn_children() refuses children of a job that is nested 10 deep", async (db) => {
  let parent = await insertJob(db, { priority: 9 });
  for (let depth = 0; depth <= 10; depth++) {
    const job = await claimOne(db);
    assert.equal(job.depth, depth);
    await commit(db, [awaitsChildren(job, 1)], { spawns: [spawnOf(job, 1)] });
    parent = (await childrenOf(db, parent))[0] ?? parent;
  }
  const job = await claimOne(db);
  assert.deepEqual([job.job_id, job.depth], [parent, 10]);
  assert.deepEqual(job.messages[0]?.payload, {
    message: "Cannot start children as jobs may be nested 10 deep: the parent is at 10",
  });
});

file.test("spawn_children() tells a job that goes on in the same answer", async (db) => {
  await insertJob(db);
  const job = await claimOne(db);
  const children = [{ index: 0, id: crypto.randomUUID() }];
  const spawn = spawnOf(job, 1, { detached: true, workflow_id: "gone", children });
  const { woken } = await commit(db, [commitOf(job)], { spawns: [spawn] });
  assert.deepEqual(woken.map(({ job_id }) => job_id), [job.job_id]);
  assert.equal(woken[0]?.messages[0]?.kind, "spawn_refused");
});

file.test("spawn_children() starts the other children of a batch with a refused spawn in it", async (db) => {
  await insertJob(db, { priority: 9 });
  await insertJob(db, { priority: 8 });
  const [refused, good] = [await claimOne(db), await claimOne(db)];
  await commit(db, [awaitsChildren(refused, 1), awaitsChildren(good, 1)], {
    spawns: [spawnOf(refused, 1, { workflow_id: "gone" }), spawnOf(good, 1)],
  });
  assert.equal((await childrenOf(db, refused.job_id)).length, 0);
  assert.equal((await childrenOf(db, good.job_id)).length, 1);
});
