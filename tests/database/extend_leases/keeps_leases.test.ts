import assert from "node:assert/strict";
import type { TestDatabase } from "../../support/database.ts";
import { privateDatabase } from "../../support/private_database.ts";
import { claim, claimOne, insertJob, OTHER_TOKEN, readJob, TOKEN } from "../../support/engine.ts";
import { stopClock } from "../../support/seed_database.ts";

const file = await privateDatabase();

const extend = async (db: TestDatabase, ids: string[], seconds = 30, token = TOKEN) =>
  (await db`select public.extend_leases(${token}, ${ids}::uuid[], ${seconds}) as reply`)[0]?.reply;

file.test("extend_leases() extends what the caller holds", async (db) => {
  await stopClock(db, "2030-01-01T12:00:00Z");
  const ids = [await insertJob(db), await insertJob(db)];
  await claim(db);
  await stopClock(db, "2030-01-01T12:00:10Z");
  assert.deepEqual(await extend(db, ids, 60), { lost: [], woken: [] });
  for (const id of ids) {
    const { next_run_at, version } = await readJob(db, id);
    assert.equal(next_run_at.toISOString(), "2030-01-01T12:01:10.000Z");
    assert.equal(version, 2); // whoever commits need not know of the extension
  }
});

file.test("extend_leases() keeps a lease that is over but that nobody has taken", async (db) => {
  await stopClock(db, "2030-01-01T12:00:00Z");
  const id = await insertJob(db);
  await claim(db);
  await stopClock(db, "2030-01-01T12:10:00Z");
  assert.deepEqual(await extend(db, [id]), { lost: [], woken: [] });
});

file.test("extend_leases() reports what is lost and leaves it alone", async (db) => {
  const ended = await insertJob(db);
  await claim(db);
  await db`update public.jobs
    set status = 'cancelled', lease_token = null, next_run_at = null, completed_at = millrace.now()`;
  const free = await insertJob(db);
  const theirs = await insertJob(db, { priority: 9 });
  await claim(db, 1, OTHER_TOKEN);
  const nobodys = crypto.randomUUID();
  const before = await db`select * from public.jobs order by id`;
  const { lost } = await extend(db, [ended, free, theirs, nobodys]);
  assert.deepEqual(lost.toSorted(), [ended, free, theirs, nobodys].toSorted());
  assert.deepEqual([...await db`select * from public.jobs order by id`], [...before]);
});

file.test("extend_leases() brings the messages that came meanwhile until they are consumed", async (db) => {
  const id = await insertJob(db);
  await claimOne(db);
  await db`insert into public.job_inbox (job_id, kind) values (${id}, 'cancel')`;
  await extend(db, [id]); // whose answer may be lost
  const { woken } = await extend(db, [id]);
  assert.deepEqual(woken.map(({ job_id }: { job_id: string }) => job_id), [id]);
  assert.deepEqual(woken[0].messages.map(({ kind }: { kind: string }) => kind), ["cancel"]);
});

file.test("extend_leases() of nothing does nothing", async (db) => {
  assert.deepEqual(await extend(db, []), { lost: [], woken: [] });
});
