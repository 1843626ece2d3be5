import assert from "node:assert/strict";
import { batchOfAllKinds } from "../../support/batch.ts";
import type { TestDatabase } from "../../support/database.ts";
import { claim, commit, completionOf, insertJob, stepRecord } from "../../support/engine.ts";
import { fillJobs } from "../../support/fill_jobs.ts";
import { plansOf } from "../../support/plans.ts";
import { privateDatabase } from "../../support/private_database.ts";

const file = await privateDatabase();

/**
 * The statements that ran in there, but for what Postgres makes row by row itself: the checks of
 * foreign keys, and a generated column.
 */
async function statementsOf(run: (db: TestDatabase) => Promise<unknown>): Promise<string[]> {
  const plans = await plansOf(file, run);
  return plans
    .filter((plan) => !/FOR KEY SHARE OF x|case when p_assignees is not null/.test(plan))
    .map((plan) => plan.replace(/^[^]*?Query Text: /, "").slice(0, 60).replaceAll(/\s+/g, " "));
}

file.test("claim_jobs() runs as many statements for many jobs as for one", async () => {
  await fillJobs(file, { finished: 0, due: 300, timers: 300, statistics: "fresh" });
  const one = await statementsOf((db) => claim(db, 2));
  const many = await statementsOf((db) => claim(db, 200));
  assert.deepEqual(many, one);
});

file.test("commit_jobs() runs as many statements for the ends of many jobs as for one", async (db) => {
  const end = async (count: number) => {
    for (let n = 0; n < count; n++) await insertJob(db);
    const jobs = await claim(db, count);
    return await statementsOf((db) =>
      commit(db, jobs.map((job) => completionOf(job)), {
        steps: jobs.map((job) => stepRecord(job)),
      })
    );
  };
  const one = await end(1);
  assert.deepEqual(await end(200), one);
  assert.ok(one.length <= 15, `${one.length} statements: ${one.join("\n")}`);
});

file.test("commit_jobs() runs the same statements for 200 jobs of all kinds as for ten", async (db) => {
  const statements = async (times: number) => {
    await db`delete from public.jobs`;
    const { jobs, parts } = await batchOfAllKinds(db, times);
    assert.equal(jobs.length, 10 * times);
    return await statementsOf((db) => commit(db, jobs, parts));
  };
  const few = await statements(1);
  assert.deepEqual(await statements(20), few);
});
