import assert from "node:assert/strict";
import { startFamily } from "../../support/children.ts";
import {
  claimOne,
  commit,
  commitOf,
  hold,
  insertJob,
  pidOf,
  waitUntilBlocked,
} from "../../support/engine.ts";
import { privateDatabase } from "../../support/private_database.ts";

const file = await privateDatabase();

file.test("prune_slots() deletes keys that no job holds or waits for", async (db) => {
  const { parent } = await startFamily(db, 2, { max_running: 1 });
  await db`update millrace.slots set in_use = 0`;
  await db`insert into millrace.slots (key, capacity, in_use)
    values ('held', 1, 1), ('wanted', 1, 0), ('idle', 1, 0)`;
  await insertJob(db, { wanted_slot: "wanted" });
  await db`select public.prune_jobs()`;
  const rows = await db`select key from millrace.slots order by key`;
  assert.deepEqual(rows.map(({ key }) => key), ["held", `map:${parent}:each:1`, "wanted"]);
});

file.test("prune_slots() takes no key from a commit that is just giving a slot of it", async (db) => {
  await db`insert into millrace.slots (key, capacity) values ('k', 1)`;
  await insertJob(db);
  const job = await claimOne(db);
  await using other = file.connect();
  await using watch = file.connect();
  const pid = await pidOf(other);
  const asks = commitOf(job, { admission: { kind: "slot", key: "k", capacity: 1 } });
  const finish = await hold(db, (db) => commit(db, [asks]));
  const pruning = other`select millrace.prune_slots() as deleted`.execute();
  await waitUntilBlocked(watch, pid);
  await finish();
  assert.deepEqual((await pruning).map(({ deleted }) => deleted), [0]);
  assert.equal((await db`select from millrace.slots where in_use = 1`).count, 1);
});

file.test("prune_slots() forgets starts that are older than any rate limit", async (db) => {
  await db`insert into millrace.rate_starts (key, starts_at)
    values ('r', now() - interval '32 days'), ('r', now() - interval '30 days')`;
  await db`select millrace.prune_slots()`;
  assert.equal((await db`select from millrace.rate_starts`).count, 1);
});
