import assert from "node:assert/strict";
import type { TestDatabase } from "../../support/database.ts";
import { claim, claimOne, hold, insertJob, OTHER_TOKEN } from "../../support/engine.ts";
import { privateDatabase } from "../../support/private_database.ts";

const file = await privateDatabase();

/** Jobs that were begun and whose timer is over. */
async function addTimers(db: TestDatabase, count: number, priority = 5): Promise<void> {
  for (let n = 0; n < count; n++) {
    await insertJob(db, { priority, status: "waiting", next_run_at: "2020-01-01T00:00:00Z" });
  }
}

async function addNew(db: TestDatabase, count: number, priority = 5): Promise<void> {
  for (let n = 0; n < count; n++) await insertJob(db, { priority });
}

/** `t` for a job that was begun, `n` for a new one, with the priority where it is not 5. */
async function kinds(db: TestDatabase, limit: number): Promise<string> {
  const jobs = await claim(db, limit);
  const rows = await db`select id, state_history -> 0 ->> 'to' as first from public.jobs`;
  const first = new Map(rows.map(({ id, first }) => [id, first]));
  return jobs.map(({ job_id, priority }) =>
    (first.get(job_id) === "waiting" ? "t" : "n") + (priority === 5 ? "" : priority)
  ).join("");
}

const CASES: [timers: number, fresh: number, limit: number, claimed: string][] = [
  [4, 4, 4, "ttnn"],
  [4, 4, 5, "tttnn"],
  [1, 4, 4, "tnnn"],
  [4, 1, 4, "ttnt"],
  [4, 0, 4, "tttt"],
  [0, 4, 4, "nnnn"],
  [2, 2, 10, "ttnn"],
  [1, 1, 1, "t"],
];

for (const [timers, fresh, limit, claimed] of CASES) {
  file.test(`claim_jobs() takes ${claimed} of ${timers} begun and ${fresh} new jobs`, async (db) => {
    await addNew(db, fresh);
    await addTimers(db, timers);
    assert.equal(await kinds(db, limit), claimed);
  });
}

file.test("claim_jobs() takes all of a higher priority before any of a lower", async (db) => {
  await addTimers(db, 3, 9);
  await addNew(db, 1, 9);
  await addTimers(db, 1);
  await addNew(db, 2);
  assert.equal(await kinds(db, 6), "t9t9t9n9tn");
});

file.test("claim_jobs() locks hardly more jobs than it takes", async (db) => {
  await addNew(db, 5);
  await addTimers(db, 5);
  await using other = file.connect();
  const finish = await hold(other, (db) => claim(db, 4, OTHER_TOKEN));
  const rest = await claim(db, 10);
  await finish();
  assert.ok(rest.length >= 5, `of six only ${rest.length} were free`);
});

file.test("claim_jobs() takes what another claim leaves, without waiting", async (db) => {
  await addNew(db, 2);
  await using other = file.connect();
  const finish = await hold(other, (db) => claimOne(db, OTHER_TOKEN));
  assert.equal((await claim(db, 10)).length, 1);
  await finish();
  assert.deepEqual(await claim(db, 10), []);
});
