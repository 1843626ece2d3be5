import assert from "node:assert/strict";
import type { ClaimedJob } from "../../../supabase/functions/_shared/contracts/turn.ts";
import { awaitsChildren, spawnOf } from "../../support/children.ts";
import type { TestDatabase } from "../../support/database.ts";
import {
  claimOne,
  completionOf,
  insertJob,
  OTHER_TOKEN,
  readJob,
  stepRecord,
  turn,
} from "../../support/engine.ts";
import { privateDatabase } from "../../support/private_database.ts";

const file = await privateDatabase();

const IDS = ["00000000-0000-8000-8000-00000000000a", "00000000-0000-8000-8000-00000000000b"];
const AT = "2020-01-01T00:00:00.000Z";

/** What starts two children of a job, which the caller has begun with. */
function spawning(job: ClaimedJob) {
  const { children, ...spawn } = spawnOf(job, 2, { lease: true, at: AT });
  return {
    jobs: [awaitsChildren(job, 2, { status: "running", awaits_children: false })],
    spawns: [{ ...spawn, children: children.map((child, i) => ({ ...child, id: IDS[i] ?? "" })) }],
  };
}

/** The ends of both, and that of their parent. */
function ends(job: ClaimedJob) {
  const children = IDS.map((job_id, index) => ({ ...job, job_id, version: 2, item_index: index }));
  return {
    jobs: [
      ...children.map((child, index) => completionOf(child, index)),
      completionOf({ ...job, version: job.version + 1 }, "both"),
    ],
    steps: children.map((child) => stepRecord(child, { step_id: "work" })),
  };
}

async function statusOf(db: TestDatabase, id: string): Promise<unknown> {
  return (await readJob(db, id))["status"];
}

file.test("turn() starts children and ends them and their parent in one call", async (db) => {
  const id = await insertJob(db);
  const job = await claimOne(db);
  const reply = await turn(db, { spawning: spawning(job), commit: ends(job) });

  assert.deepEqual(reply.spawned, [{ job_id: id, committed: true }]);
  assert.deepEqual(reply.results.map(({ committed }) => committed), [true, true, true]);
  assert.deepEqual(reply.claimed, [], "the caller knows them already");
  const parent = await readJob(db, id);
  assert.deepEqual([parent["status"], parent["open_children"]], ["completed", 0]);
  const child = await readJob(db, IDS[1] ?? "");
  assert.equal(child["status"], "completed");
  assert.equal(child["started_at"].toISOString(), AT);
  assert.deepEqual(child["item"], { n: 1 });
});

file.test("turn() has neither children nor their ends when their parent is lost", async (db) => {
  const id = await insertJob(db);
  const job = await claimOne(db, OTHER_TOKEN);
  const reply = await turn(db, { spawning: spawning(job), commit: ends(job) });

  assert.deepEqual(reply.spawned, [{ job_id: id, committed: false }]);
  assert.deepEqual(reply.results.map(({ committed }) => committed), [false, false, false]);
  assert.equal(await statusOf(db, id), "running");
  const [row] = await db`select count(*)::int as n from public.jobs where parent_job_id = ${id}`;
  assert.equal(row?.["n"], 0);
});

file.test("turn() tells the same of children that are started and ended when it is sent again", async (db) => {
  const id = await insertJob(db);
  const job = await claimOne(db);
  const argument = { spawning: spawning(job) };
  await turn(db, argument);
  const again = await turn(db, argument);
  assert.deepEqual(again.spawned, [{ job_id: id, committed: true }]);
  assert.equal((await readJob(db, id))["open_children"], 2, "they were not counted twice");
});
