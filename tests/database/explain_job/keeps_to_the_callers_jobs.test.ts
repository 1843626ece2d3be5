import assert from "node:assert/strict";
import { privateDatabase } from "../../support/private_database.ts";
import { as, insertJob } from "../../support/engine.ts";
import { BOB } from "../../support/seed_database.ts";
import { explain, explainTests } from "../../support/explain.ts";

const test = explainTests(await privateDatabase());

test("does not see another user's job, nor one that never was, MR002", async (db) => {
  const id = await insertJob(db);
  for (const unknown of [id, crypto.randomUUID()]) {
    await assert.rejects(explain(db, unknown, BOB), {
      code: "MR002",
      message: `Cannot explain job as there is no job ${unknown}`,
    });
  }
});

test("explains anybody's job to the service role", async (db) => {
  const id = await insertJob(db, { user_id: BOB });
  const [row] = await as(
    db,
    "service_role",
    null,
    (db) => db`select public.explain_job(${id}) as reply`,
  );
  assert.equal(row?.reply.job_id, id);
});

test("looks up nothing about another user's job", async (db) => {
  await db`insert into millrace.slots (key, capacity, in_use) values ('k', 5, 5)`;
  const id = await insertJob(db, { wanted_slot: "k", status: "pending" });
  await db`select public.cancel_job(${id})`;
  const [row] = await as(
    db,
    "authenticated",
    BOB,
    (db) =>
      db`select (millrace.explain_slot(${id})).capacity, millrace.explain_queue(${id}) as queue,
        millrace.explain_executor(${id}) as executor, millrace.explain_mailbox(${id}) as mailbox`,
  );
  assert.deepEqual({ ...row }, { capacity: null, queue: null, executor: null, mailbox: [] });
});
