import assert from "node:assert/strict";
import type { TestDatabase } from "../../support/database.ts";
import { privateDatabase } from "../../support/private_database.ts";
import { as, insertJob } from "../../support/engine.ts";
import { ALICE, BOB, queuedCalls, setSecrets } from "../../support/seed_database.ts";

const file = await privateDatabase();

const signal = async (db: TestDatabase, id: string, name = "go") =>
  (await db`select public.signal_job(${id}, ${name}, '{"n": 0}') as reply`)[0]?.reply;

file.test("signal_job() keeps an event for one job and those below it", async (db) => {
  const id = await insertJob(db, { status: "waiting" });
  const reply = await as(db, "authenticated", ALICE, (db) => signal(db, id));
  const [event] = await db`select * from public.events`;
  assert.deepEqual(reply, { job_id: id, event_id: event?.id, status: "waiting", kick: false });
  assert.deepEqual(
    [event?.user_id, event?.name, event?.key, event?.payload, event?.job_id],
    [ALICE, "go", null, { n: 0 }, id],
  );
});

file.test("signal_job() by the service role is the owner's event", async (db) => {
  const id = await insertJob(db, { user_id: BOB });
  await as(db, "service_role", null, (db) => signal(db, id));
  const [event] = await db`select user_id, job_id from public.events`;
  assert.deepEqual([event?.user_id, event?.job_id], [BOB, id]);
});

file.test("signal_job() does not see another user's job, nor one that never was, MR002", async (db) => {
  const id = await insertJob(db);
  for (const unknown of [id, crypto.randomUUID()]) {
    await assert.rejects(as(db, "authenticated", BOB, (db) => signal(db, unknown)), {
      code: "MR002",
      message: `Cannot signal job as there is no job ${unknown}`,
    });
  }
});

file.test("signal_job() refuses a job that has ended, MR007", async (db) => {
  const id = await insertJob(db, { status: "completed", completed_at: new Date() });
  await assert.rejects(signal(db, id), {
    code: "MR007",
    message: `Cannot signal job ${id} as it has ended`,
  });
  assert.equal((await db`select from public.events`).count, 0);
});

file.test("signal_job() refuses a signal without a name, MR008", async (db) => {
  const id = await insertJob(db);
  await assert.rejects(signal(db, id, ""), { code: "MR008" });
});

for (const kick of [true, false]) {
  file.test(`signal_job() leaves the kick to ${kick ? "the database" : "its caller"}`, async (db) => {
    await setSecrets(db);
    const id = await insertJob(db);
    await db`delete from net.http_request_queue`;
    await db`update millrace.pulse set last_kick_at = null`;
    const [row] = await db`select public.signal_job(${id}, 'go', p_kick => ${kick}) as reply`;
    assert.equal(row?.reply.kick, !kick);
    assert.equal((await queuedCalls(db)).length, kick ? 1 : 0);
  });
}
