import assert from "node:assert/strict";
import type { TestDatabase } from "../../support/database.ts";
import { privateDatabase } from "../../support/private_database.ts";
import { as, hold, insertJob } from "../../support/engine.ts";
import { ALICE, queuedCalls, setSecrets, stopClock } from "../../support/seed_database.ts";

const file = await privateDatabase();
const reasons = async (db: TestDatabase) => (await queuedCalls(db)).map(({ body }) => body.reason);

file.test("kick_after_insert() calls the orchestrator once for a statement", async (db) => {
  await setSecrets(db);
  await db`insert into public.jobs (user_id, workflow_id)
    select ${ALICE}, 'one_step' from generate_series(1, 50)`;
  assert.deepEqual(await reasons(db), ["insert"]);
});

file.test("kick_after_insert() calls for what a user inserts, who may not read Vault", async (db) => {
  await setSecrets(db);
  await as(
    db,
    "authenticated",
    ALICE,
    (db) => db`insert into public.jobs (workflow_id) values ('one_step')`,
  );
  assert.deepEqual(await reasons(db), ["insert"]);
});

file.test("kick_after_insert() does not call again within 200 ms", async (db) => {
  await setSecrets(db);
  const at = Date.parse("2030-01-01T12:00:00Z");
  for (const [ms, calls] of [[0, 1], [1, 1], [200, 1], [201, 2], [300, 2]] as const) {
    await stopClock(db, new Date(at + ms).toISOString());
    await insertJob(db);
    assert.equal((await reasons(db)).length, calls, `${ms} ms after the first`);
  }
});

file.test("kick_after_insert() leaves it to a transaction that is just calling", async (db) => {
  await setSecrets(db);
  await using other = file.connect();
  const commit = await hold(other, (other) => insertJob(other));
  await insertJob(db); // does not wait
  await commit();
  assert.deepEqual(await reasons(db), ["insert"]);
});

file.test("kick_after_insert() calls nobody while a busy orchestrator has room", async (db) => {
  await setSecrets(db);
  await db`insert into public.orchestrators
    values (gen_random_uuid(), now(), now() + interval '1 minute', 5, 3, 8)`;
  await insertJob(db);
  assert.deepEqual(await reasons(db), []);
});

file.test("kick_after_insert() calls nobody for an insert that is rolled back", async (db) => {
  await setSecrets(db);
  await assert.rejects(insertJob(db, { priority: 11 }));
  assert.deepEqual(await reasons(db), []);
});

file.test("kick_after_insert() inserts all the same where Vault is empty", async (db) => {
  await insertJob(db);
  assert.deepEqual(await reasons(db), []);
  assert.equal((await db`select from public.jobs`).count, 1);
});

file.test("kick_after_insert() leaves it to the caller of cancel_job() who says so", async (db) => {
  const id = await insertJob(db);
  await setSecrets(db);
  const [row] = await db`select public.cancel_job(${id}, p_kick => false) as reply`;
  assert.equal(row?.reply.kick, true);
  assert.deepEqual(await reasons(db), []);
});

file.test("kick_after_insert() calls for a message, also while a busy orchestrator has room", async (db) => {
  await setSecrets(db);
  await db`insert into public.orchestrators
    values (gen_random_uuid(), now(), now() + interval '1 minute', 5, 3, 8)`;
  const id = await insertJob(db);
  const send = () =>
    db`insert into public.job_inbox (job_id, kind, step_id, visit, attempt)
      values (${id}, 'step_result', 'a', 1, 1)`;
  await stopClock(db, "2030-01-01T12:00:00Z");
  await send();
  await send();
  assert.deepEqual(await reasons(db), ["message"]);
  await stopClock(db, "2030-01-01T12:00:00.201Z");
  await send();
  assert.deepEqual(await reasons(db), ["message", "message"]);
});

file.test("post_kicks() watches two calls that are at least 15 seconds apart", async (db) => {
  await setSecrets(db);
  const watched = async () =>
    (await db`select watched_kick_ids as ids from millrace.pulse`)[0]?.ids;
  const ids: number[] = [];
  for (const second of [0, 5, 15, 30, 44]) {
    await stopClock(db, new Date(Date.UTC(2030, 0, 1, 12, 0, second)).toISOString());
    const [row] = await db`select millrace.post_kicks(1, 'test') as id`;
    ids.push(row?.id);
  }
  assert.deepEqual((await watched()).map(Number), [ids[3], ids[2]]);
});
