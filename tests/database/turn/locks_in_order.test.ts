import assert from "node:assert/strict";
import {
  claim,
  commitOf,
  completionOf,
  insertJob,
  pidOf,
  readJob,
  turn,
  waitUntilBlocked,
} from "../../support/engine.ts";
import { privateDatabase } from "../../support/private_database.ts";

const file = await privateDatabase();
const LOW = "10000000-0000-4000-8000-000000000000";
const HIGH = "90000000-0000-4000-8000-000000000000";

file.test("turn() waits for nobody to extend a lease, and does not call it lost", async (db) => {
  for (const id of [LOW, HIGH]) await insertJob(db, { id });
  const high = (await claim(db)).find(({ job_id }) => job_id === HIGH);
  if (!high) assert.fail();
  await using other = file.connect();
  await other.unsafe("begin");
  await other`select from public.jobs where id = ${LOW} for update`;
  const before = (await readJob(db, LOW)).next_run_at;
  const gone = crypto.randomUUID();
  const reply = await turn(db, {
    lease_seconds: 300,
    commit: { jobs: [completionOf(high)] },
    extend: [LOW, gone],
  });
  await other`select from public.jobs where id = ${HIGH} for update`;
  await other.unsafe("commit");
  assert.deepEqual(reply.extended.lost, [gone]);
  assert.deepEqual((await readJob(db, LOW)).next_run_at, before);
  assert.deepEqual((await turn(db, { lease_seconds: 300, extend: [LOW] })).extended.lost, []);
  assert.ok((await readJob(db, LOW)).next_run_at > before);
});

file.test("turn() locks the jobs of both its commits in one order", async (db) => {
  for (const id of [LOW, HIGH]) await insertJob(db, { id });
  const jobs = await claim(db);
  const [low, high] = [LOW, HIGH].map((id) => jobs.find(({ job_id }) => job_id === id));
  if (!low || !high) assert.fail();
  await using other = file.connect();
  await using watch = file.connect();
  const pid = await pidOf(db);
  await other.unsafe("begin");
  await other`select from public.jobs where id = ${LOW} for update`;
  const turning = turn(db, {
    spawning: { jobs: [commitOf(high)] },
    commit: { jobs: [completionOf(low)] },
  });
  await waitUntilBlocked(watch, pid);
  await other`select from public.jobs where id = ${HIGH} for update nowait`;
  await other.unsafe("commit");
  const reply = await turning;
  assert.deepEqual([...reply.spawned, ...reply.results].map(({ committed }) => committed), [
    true,
    true,
  ]);
});
