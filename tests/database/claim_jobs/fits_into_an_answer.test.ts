import assert from "node:assert/strict";
import { privateDatabase } from "../../support/private_database.ts";
import { claim, insertJob } from "../../support/engine.ts";

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
