import assert from "node:assert/strict";
import { privateDatabase } from "../../support/private_database.ts";
import type { TestDatabase } from "../../support/database.ts";
import { claim, claimOne, commit, commitOf, insertJob } from "../../support/engine.ts";

const file = await privateDatabase();

file.test("claim_jobs() leaves to the next claim what would make the answer too large", async (db) => {
  for (let n = 0; n < 4; n++) await insertJob(db);
  // 3 kB on disk, 9 MB as text.
  await db`update public.jobs set step_data = jsonb_build_object('a', jsonb_build_object(
    'output', (select jsonb_agg(1e308::numeric) from generate_series(1, 30000))))`;
  assert.equal((await claim(db, 10)).length, 1);
  assert.equal((await claim(db, 10)).length, 1);
});

file.test("claim_jobs() claims a job that is too large alone", async (db) => {
  await insertJob(db, { priority: 9 });
  await insertJob(db);
  await db`update public.jobs set step_data = jsonb_build_object('a', jsonb_build_object(
    'output', (select jsonb_agg(1e308::numeric) from generate_series(1, 80000))))
    where priority = 9`;
  assert.deepEqual((await claim(db, 10)).map((job) => job.current_step_id), ["a"]);
});

file.test("claim_jobs() takes many small jobs at once", async (db) => {
  for (let n = 0; n < 30; n++) await insertJob(db, { input_data: { text: "x".repeat(10_000) } });
  assert.equal((await claim(db, 100)).length, 30);
});

/** So many messages of a megabyte each. */
const send = (db: TestDatabase, id: string, count: number) =>
  db`insert into public.job_inbox (job_id, kind, step_id, visit, payload)
    select ${id}, 'event', 'a', 1, jsonb_build_object('x', repeat('x', 1048576))
    from generate_series(1, ${count}::integer)`;

file.test("claim_jobs() hands over 16 MiB of a mailbox, and the rest when those were read", async (db) => {
  const id = await insertJob(db);
  await send(db, id, 20);
  const first = await claimOne(db);
  assert.equal(first.messages.length, 15);
  const consumed = first.messages.map((message) => ({ job_id: id, id: message.id }));
  await commit(db, [commitOf(first, { status: "waiting" })], { consumed });
  const second = await claimOne(db);
  assert.equal(second.messages.length, 5);
  const ids = [...first.messages, ...second.messages].map((message) => message.id);
  assert.deepEqual(ids, [...ids].sort((a, b) => a - b));
  const rest = second.messages.map((message) => ({ job_id: id, id: message.id }));
  await commit(db, [commitOf(second, { status: "waiting" })], { consumed: rest });
  assert.deepEqual(await claim(db), []);
});

file.test("commit_jobs() tells a job that goes on of 16 MiB of messages at a time", async (db) => {
  const id = await insertJob(db);
  const job = await claimOne(db);
  await send(db, id, 20);
  const { woken } = await commit(db, [commitOf(job)]);
  assert.deepEqual(woken.map(({ messages }) => messages.length), [15]);
  const consumed = woken[0]?.messages.map((message) => ({ job_id: id, id: message.id })) ?? [];
  const next = await commit(db, [commitOf({ ...job, version: job.version + 1 })], { consumed });
  assert.deepEqual(next.woken.map(({ messages }) => messages.length), [5]);
});

file.test("claim_jobs() leaves a job with a large mailbox to the next claim", async (db) => {
  for (let n = 0; n < 2; n++) await insertJob(db);
  const jobs = await claim(db);
  await commit(db, jobs.map((job) => commitOf(job, { status: "waiting" })));
  for (const { job_id } of jobs) await send(db, job_id, 10);
  assert.deepEqual((await claim(db)).map(({ messages }) => messages.length), [10]);
  assert.deepEqual((await claim(db)).map(({ messages }) => messages.length), [10]);
});
