import assert from "node:assert/strict";
import { privateDatabase } from "../../support/private_database.ts";
import { hold, insertJob, pidOf, readJob, waitUntilBlocked } from "../../support/engine.ts";

const file = await privateDatabase();

file.test("retry_job() of two at once opens the job once", async (db) => {
  await using first = file.connect();
  await using second = file.connect();
  const id = await insertJob(db, { status: "cancelled", completed_at: new Date() });
  const pid = await pidOf(second);
  const finish = await hold(first, (db) => db`select public.retry_job(${id})`);
  const refused = assert.rejects(second`select public.retry_job(${id})`, {
    code: "MR013",
    message: `Cannot retry job ${id} as somebody else has just done so`,
  });
  await waitUntilBlocked(db, pid);
  await finish();
  await refused;
  assert.equal((await readJob(db, id)).run_number, 2);
  assert.equal((await db`select from public.job_inbox`).count, 1);
});
