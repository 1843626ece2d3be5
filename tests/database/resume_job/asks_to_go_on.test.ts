import assert from "node:assert/strict";
import { privateDatabase } from "../../support/private_database.ts";
import { as, claimOne, insertJob, readJob } from "../../support/engine.ts";
import { ALICE } from "../../support/seed_database.ts";

const file = await privateDatabase();

file.test("resume_job() wakes a paused job with the wish", async (db) => {
  const id = await insertJob(db, { status: "paused" });
  assert.equal((await readJob(db, id)).next_run_at, null);
  const [row] = await as(
    db,
    "authenticated",
    ALICE,
    (db) => db`select public.resume_job(${id}) as reply`,
  );
  assert.deepEqual(row?.reply, { job_id: id, status: "paused", kick: false });
  const { messages } = await claimOne(db);
  assert.deepEqual(messages.map(({ kind, payload }) => [kind, payload]), [["resume", {}]]);
});
