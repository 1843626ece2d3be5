import assert from "node:assert/strict";
import { claimedJobSchema } from "../../../supabase/functions/_shared/contracts/turn.ts";
import { startFamily } from "../../support/children.ts";
import { claim, claimOne, commit, commitOf, completionOf } from "../../support/engine.ts";
import { privateDatabase } from "../../support/private_database.ts";

const file = await privateDatabase();

file.test("claim_jobs() hands over the results of 2,000 children in their order", async (db) => {
  await startFamily(db, 2000);
  const children = await claim(db, 2000);
  await commit(db, children.toReversed().map((job) => completionOf(job, job.item_index)));
  const parent = claimedJobSchema.parse(await claimOne(db));
  assert.deepEqual(
    parent.children?.map(({ index, result }) => [index, result]),
    Array.from({ length: 2000 }, (_, n) => [n, n]),
  );
});

file.test("claim_jobs() hands over at most 20 failed children while others are open", async (db) => {
  const { parent } = await startFamily(db, 30);
  await db`update public.jobs set max_failed_children = 24 where id = ${parent}`;
  const children = await claim(db, 25);
  const error = { code: "broken", message: "it broke", retryable: false, details: null };
  await commit(db, children.map((job) => commitOf(job, { status: "failed", error })));
  const [job] = await claim(db, 1);
  assert.deepEqual([job?.job_id, job?.open_children, job?.failed_children], [parent, 5, 25]);
  assert.deepEqual(
    job?.children?.map(({ index }) => index),
    Array.from({ length: 20 }, (_, n) => n),
  );
});

file.test("claim_jobs() hands over null where the results are too much for an answer", async (db) => {
  await startFamily(db, 2);
  const jobs = await claim(db);
  await commit(db, jobs.map((job) => completionOf(job)));
  // 3 kB on disk, 9 MB as text.
  await db`update public.jobs set final_result =
      (select jsonb_agg(1e308::numeric) from generate_series(1, 30000))
    where parent_job_id is not null`;
  const parent = claimedJobSchema.parse(await claimOne(db));
  assert.deepEqual([parent.open_children, parent.children], [0, null]);
});

file.test("claim_jobs() leaves to the next claim a parent whose children's results are large", async (db) => {
  for (const priority of [8, 9]) {
    await startFamily(db, 1, {}, { priority });
    await commit(db, [completionOf(await claimOne(db))]);
  }
  await db`update public.jobs set final_result =
      (select jsonb_agg(1e308::numeric) from generate_series(1, 30000))
    where parent_job_id is not null`;
  assert.equal((await claim(db)).length, 1);
  assert.equal((await claim(db)).length, 1);
});
