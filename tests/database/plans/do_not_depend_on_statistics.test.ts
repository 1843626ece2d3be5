import assert from "node:assert/strict";
import type { TestDatabase } from "../../support/database.ts";
import { claim, commit, completionOf, stepRecord, turn } from "../../support/engine.ts";
import { fillJobs, type Statistics } from "../../support/fill_jobs.ts";
import { plansOf, seqScansOf } from "../../support/plans.ts";
import { batchOfAllKinds } from "../../support/batch.ts";
import { privateDatabase } from "../../support/private_database.ts";

const file = await privateDatabase();
const STATISTICS: Statistics[] = ["none", "of an empty table", "fresh"];

/** Commits the ends of so many claimed jobs, with a step, an event and a message each. */
async function commitBatch(db: TestDatabase, size: number): Promise<string[]> {
  const jobs = await claim(db, size);
  const messages = await db`
    insert into public.job_inbox (job_id, kind)
    select id, 'cancel' from unnest(${jobs.map(({ job_id }) => job_id)}::uuid[]) as id
    returning id, job_id`;
  return await plansOf(file, (db) =>
    commit(db, jobs.map((job) => completionOf(job)), {
      steps: jobs.map((job) => stepRecord(job)),
      events: jobs.map(({ job_id }) => ({ job_id, type: "redelivered", step_id: "a", data: {} })),
      consumed: messages,
    }));
}

function assertNoSeqScan(plans: readonly string[], of: string): void {
  for (const table of ["jobs", "job_steps", "job_events", "job_inbox", "events", "event_waits"]) {
    assert.deepEqual(seqScansOf(plans, table), [], of);
  }
}

async function checkClaim(): Promise<void> {
  const plans = await plansOf(file, (db) => claim(db, 100));
  assertNoSeqScan(plans, "claim_jobs");
  const [choice = "", ...others] = plans.filter((plan) => plan.includes("with begun as"));
  assert.deepEqual(others, []);
  assert.match(choice, /Index Scan using jobs_timed_idx on jobs j .*rows=50 /);
  assert.match(choice, /Index Scan using jobs_queue_idx on jobs j_1 .*rows=50 /);
  assert.doesNotMatch(choice, /Sort/);
  const update = plans.find((plan) => plan.includes("update public.jobs j")) ?? "";
  assert.match(update, /Index Scan (using|on) jobs_pkey .*rows=100 /);
}

async function checkCommit(db: TestDatabase): Promise<void> {
  const plans = await commitBatch(db, 100);
  assertNoSeqScan(plans, "commit_jobs");
  const update = plans.find((plan) => plan.includes("with written as")) ?? "";
  assert.match(update, /Index Scan using jobs_pkey on jobs j .*rows=1 loops=100/);
  assert.doesNotMatch(update, /Hash Join|Merge Join/);
}

async function checkTurn(db: TestDatabase): Promise<void> {
  const extend = (await claim(db, 50)).map(({ job_id }) => job_id);
  const plans = [
    ...await plansOf(file, (db) => turn(db, { claim: 100, extend })),
    ...await plansOf(file, (db) => turn(db, { claim: 0, look_ahead: true })),
  ];
  assert.ok(plans.some((plan) => plan.includes("min(due.next_run_at)")));
  assertNoSeqScan(plans, "turn");
}

/** The views, and the index that each reads. */
const VIEWS: [view: string, index: RegExp][] = [
  ["workflow_metrics where period = 'last_hour'", /Scan (using|on) jobs_completed_at_idx/],
  ["failure_metrics where period = 'last_hour'", /Scan (using|on) jobs_completed_at_idx/],
  ["step_metrics where period = 'last_hour'", /Bitmap Index Scan on job_steps_ended_at_idx/],
  ["transformer_metrics where period = 'last_hour'", /Index Scan on job_steps_ended_at_idx/],
  ["queue_metrics", /Scan (using|on) jobs_queue_idx/],
  ["queue_metrics", /Scan (using|on) jobs_timed_idx/],
  ["alerts", /Scan (using|on) jobs_queue_idx/],
  ["alerts", /Scan (using|on) jobs_timed_idx/],
];

async function checkMetrics(statistics: Statistics): Promise<void> {
  for (const [view, index] of VIEWS) {
    const plans = await plansOf(file, (db) => db.unsafe(`select * from public.${view}`));
    assert.deepEqual(seqScansOf(plans, "jobs"), [], view);
    // Only statistics tell how well the times of attempts follow their places in the table.
    if (index.source.includes("job_steps") && statistics !== "fresh") continue;
    assert.ok(plans.some((plan) => index.test(plan)), view);
    // One measurement for the one period that was asked for.
    const measured = plans.filter((plan) => plan.includes("p_from")).length;
    if (view.includes("period")) assert.equal(measured, 1, view);
  }
}

for (const statistics of STATISTICS) {
  file.test(`plans take the indexes among 20,000 jobs, statistics: ${statistics}`, async (db) => {
    await fillJobs(file, { finished: 20_000, due: 1_000, timers: 1_000, statistics });
    await checkMetrics(statistics);
    await checkClaim();
    await checkCommit(db);
    await checkTurn(db);
  });
}

for (const statistics of STATISTICS) {
  file.test(`plans of all that a commit may do take the indexes, statistics: ${statistics}`, async (db) => {
    await fillJobs(file, { finished: 20_000, due: 0, statistics });
    const batch = await batchOfAllKinds(db, 20);
    assertNoSeqScan(
      await plansOf(file, (db) => commit(db, batch.jobs, batch.parts)),
      "commit_jobs",
    );
    const plans = await plansOf(file, (db) => db`select millrace.deliver_events()`);
    assertNoSeqScan(plans, "deliver_events");
  });
}

file.test("claim_jobs() looks at no job of the future to find the due ones", async () => {
  await fillJobs(file, { finished: 0, due: 10, future: 20_000, statistics: "fresh" });
  const plans = await plansOf(file, (db) => claim(db, 100));
  const choice = plans.find((plan) => plan.includes("with begun as")) ?? "";
  assert.match(choice, /Index Cond: \(\(priority = level\.priority\) AND \(next_run_at <= /);
  assert.doesNotMatch(choice, /Rows Removed by Filter/);
});
