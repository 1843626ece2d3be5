import assert from "node:assert/strict";
import type { ClaimedJob } from "../../../supabase/functions/_shared/contracts/turn.ts";
import { startFamily } from "../../support/children.ts";
import type { TestDatabase } from "../../support/database.ts";
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
  const [row] = await db`select millrace.prune_slots() as deleted`;
  assert.equal(row?.deleted, 1);
  const rows = await db`select key from millrace.slots order by key`;
  assert.deepEqual(rows.map(({ key }) => key), ["held", `map:${parent}:each:1`, "wanted"]);
});

const asksFor = (job: ClaimedJob) =>
  commitOf(job, { admission: { kind: "slot", key: "k", capacity: 1 } });
const prune = async (db: TestDatabase) =>
  (await db`select millrace.prune_slots() as deleted`)[0]?.deleted;

file.test("prune_slots() waits for no commit, and takes no key from one", async (db) => {
  await db`insert into millrace.slots (key, capacity) values ('k', 1), ('other', 1)`;
  await insertJob(db);
  const job = await claimOne(db);
  await using other = file.connect();
  const finish = await hold(db, (db) => commit(db, [asksFor(job)]));
  assert.equal(await prune(other), 1);
  await finish();
  const slots = await db`select key, in_use from millrace.slots`;
  assert.deepEqual(slots.map(({ key, in_use }) => [key, in_use]), [["k", 1]]);
});

file.test("prune_slots() leaves a key to whoever asks for it meanwhile: he makes it anew", async (db) => {
  await db`insert into millrace.slots (key, capacity) values ('k', 1)`;
  await insertJob(db);
  const job = await claimOne(db);
  await using other = file.connect();
  await using watch = file.connect();
  const pid = await pidOf(db);
  const finish = await hold(other, async (db) => assert.equal(await prune(db), 1));
  const asking = commit(db, [asksFor(job)]);
  await waitUntilBlocked(watch, pid);
  await finish();
  assert.equal((await asking).results[0]?.admitted, true);
  const [slot] = await db`select capacity, in_use from millrace.slots where key = 'k'`;
  assert.deepEqual({ ...slot }, { capacity: 1, in_use: 1 });
});

file.test("prune_slots() forgets starts that are older than any rate limit", async (db) => {
  await db`insert into millrace.rate_starts (key, starts_at)
    values ('r', now() - interval '32 days'), ('r', now() - interval '30 days')`;
  await db`select millrace.prune_slots()`;
  assert.equal((await db`select from millrace.rate_starts`).count, 1);
});
