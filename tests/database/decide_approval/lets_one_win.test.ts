import assert from "node:assert/strict";
import { privateDatabase } from "../../support/private_database.ts";
import { hold, pidOf, waitUntilBlocked } from "../../support/engine.ts";
import { asPerson, decide, FINANCE, insertApproval, OTHER } from "../../support/approvals.ts";

const file = await privateDatabase();

file.test("decide_approval() of two at once lets the first win, the other gets MR010", async (db) => {
  await using first = file.connect();
  await using second = file.connect();
  const { id } = await insertApproval(db, { assignees: ["finance", "bob@example.com"] });
  const pid = await pidOf(second);
  const finish = await hold(first, (db) => decide(db, id, "approve", { notes: "first" }));
  const loser = asPerson(second, OTHER, (db) => decide(db, id, "reject", { notes: "second" }));
  const refused = assert.rejects(loser, {
    code: "MR010",
    message: `Cannot decide approval ${id} as it is approved already`,
  });
  await waitUntilBlocked(db, pid);
  await finish();
  await refused;
  const rows = await db`select status, notes from public.approvals`;
  assert.deepEqual(rows.map((row) => ({ ...row })), [{ status: "approved", notes: "first" }]);
  assert.equal((await db`select from public.job_inbox`).count, 1);
});

file.test("decide_approval() while a commit withdraws the question comes too late", async (db) => {
  await using committer = file.connect();
  await using decider = file.connect();
  const { id, jobId } = await insertApproval(db, { assignees: ["finance"] });
  const pid = await pidOf(decider);
  const finish = await hold(committer, async (db) => {
    await db`select from public.jobs where id = ${jobId} for update`;
    await db`update public.approvals set status = 'expired', decided_at = now() where id = ${id}`;
  });
  const refused = assert.rejects(asPerson(decider, FINANCE, (db) => decide(db, id)), {
    code: "MR010",
    message: `Cannot decide approval ${id} as it is expired already`,
  });
  await waitUntilBlocked(db, pid);
  await finish();
  await refused;
  assert.equal((await db`select from public.job_inbox`).count, 0);
});
