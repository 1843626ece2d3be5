import assert from "node:assert/strict";
import { privateDatabase } from "../../support/private_database.ts";
import { claim, hold, insertJob, OTHER_TOKEN, TOKEN } from "../../support/engine.ts";

const file = await privateDatabase();

file.test("claim_jobs() skips what another connection is claiming, and does not wait", async (db) => {
  for (let i = 0; i < 5; i++) await insertJob(db);
  await using other = file.connect();
  let mine: string[] = [];
  const commit = await hold(db, async (db) => {
    mine = (await claim(db, 3)).map(({ job_id }) => job_id);
  });
  const theirs = (await claim(other, 5, OTHER_TOKEN)).map(({ job_id }) => job_id);
  await commit();
  assert.equal(mine.length, 3);
  assert.equal(theirs.length, 2);
  assert.equal(new Set([...mine, ...theirs]).size, 5);
  const rows = await db`select lease_token, count(*) from public.jobs group by 1 order by 1`;
  assert.deepEqual(rows.map(({ lease_token, count }) => [lease_token, count]), [
    [TOKEN, 3],
    [OTHER_TOKEN, 2],
  ]);
});

file.test("claim_jobs() finds jobs again whose claim was rolled back", async (db) => {
  await insertJob(db);
  await assert.rejects(db.begin(async (transaction) => {
    await claim(transaction as unknown as typeof db);
    throw new Error("the orchestrator is gone");
  }));
  assert.equal((await claim(db, 5, OTHER_TOKEN)).length, 1);
});

file.test("claim_jobs() gives each job to one of many connections at once", async (db) => {
  await db`insert into public.jobs (user_id, workflow_id, priority)
    select (select id from auth.users limit 1), 'one_step', n % 10 from generate_series(1, 500) as n`;
  const connections = Array.from({ length: 6 }, () => file.connect());
  const claimed = await Promise.all(connections.map(async (connection, i) => {
    const token = `${i}0000000-0000-4000-8000-000000000000`;
    const ids: string[] = [];
    for (;;) {
      const jobs = await claim(connection, 17, token);
      if (jobs.length === 0) break;
      ids.push(...jobs.map(({ job_id }) => job_id));
    }
    await connection.end();
    return ids;
  }));
  const all = claimed.flat();
  assert.equal(all.length, 500);
  assert.equal(new Set(all).size, 500);
  const [row] = await db`select max(version) as version from public.jobs`;
  assert.equal(row?.version, 2);
});
