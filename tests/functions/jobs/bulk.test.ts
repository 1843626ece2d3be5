import assert from "node:assert/strict";
import { call, post } from "../../support/call.ts";
import { openDatabase } from "../../support/database.ts";
import { testStack } from "../../support/stack.ts";
import { createUser } from "../../support/user.ts";
import { insertFailedJob, insertJob, startLater } from "../support.ts";

const stack = await testStack();

Deno.test("POST jobs/bulk counts in a dry run, and changes nothing", async () => {
  await using db = openDatabase(stack);
  const owner = await createUser(stack);
  const ids = [await startLater(stack, owner), await startLater(stack, owner)];
  const body = { action: "cancel", filter: {}, dry_run: true };
  const answer = await post(stack, "jobs/bulk", body, owner);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  assert.deepEqual(answer.body.job_ids.sort(), ids.sort());
  const { job_ids: _, ...counts } = answer.body;
  assert.deepEqual(counts, { matched: 2, affected: 0, dry_run: true });
  assert.equal((await db`select from job_inbox where job_id = any (${ids})`).length, 0);
});

Deno.test("POST jobs/bulk acts on what the filter finds, up to the limit", async () => {
  await using db = openDatabase(stack);
  const owner = await createUser(stack);
  const metadata = { batch: 7, of: "x" };
  const wanted: string[] = [];
  for (let index = 0; index < 3; index++) {
    wanted.push(await insertFailedJob(db, owner, { metadata }));
  }
  const spared = [
    await insertFailedJob(db, owner, { metadata: { batch: 8 } }),
    await insertFailedJob(db, owner, { metadata, error: { code: "http_4xx", message: "no" } }),
    await insertFailedJob(db, owner, { metadata, created_at: new Date("2020-01-01") }),
    await insertJob(db, owner, { metadata, status: "completed", completed_at: new Date() }),
  ];
  const body = {
    action: "retry",
    filter: {
      status: ["failed", "cancelled"],
      error_code: "timeout",
      metadata: { batch: 7 },
      created_after: "2021-01-01T00:00:00Z",
    },
    limit: 2,
  };
  const answer = await post(stack, "jobs/bulk", body, owner);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  const { job_ids, ...counts } = answer.body;
  assert.deepEqual(counts, { matched: 3, affected: 2, dry_run: false });
  const again = await db`select id from jobs where run_number = 2 and user_id = ${owner.id}`;
  assert.deepEqual(again.map(({ id }) => id).sort(), job_ids.sort());
  assert.ok(job_ids.every((id: string) => wanted.includes(id) && !spared.includes(id)));
});

Deno.test("POST jobs/bulk leaves other users' jobs alone", async () => {
  const [owner, other] = [await createUser(stack), await createUser(stack)];
  await startLater(stack, owner);
  const answer = await post(stack, "jobs/bulk", { action: "cancel", filter: {} }, other);
  assert.deepEqual(answer.body, { matched: 0, affected: 0, job_ids: [], dry_run: false });
});

for (
  const body of [
    undefined,
    {},
    { action: "cancel" },
    { action: "delete", filter: {} },
    { action: "cancel", filter: { user_id: crypto.randomUUID() } },
    { action: "cancel", filter: { status: "done" } },
    { action: "cancel", filter: { status: [] } },
    { action: "cancel", filter: { created_after: "yesterday" } },
    { action: "cancel", filter: {}, limit: 0 },
    { action: "cancel", filter: {}, limit: 1_001 },
    { action: "cancel", filter: {}, dry_run: "yes" },
  ]
) {
  Deno.test(`POST jobs/bulk answers 400 for ${JSON.stringify(body)}`, async () => {
    const answer = await post(stack, "jobs/bulk", body, await createUser(stack));
    assert.deepEqual([answer.status, answer.body.error.code], [400, "invalid_request"]);
  });
}

Deno.test("POST jobs/bulk answers 401 without a token, 405 for GET", async () => {
  const nobody = await post(stack, "jobs/bulk", { action: "cancel", filter: {} });
  assert.equal(nobody.status, 401);
  const answer = await call(stack, "jobs/bulk", { as: await createUser(stack) });
  assert.deepEqual([answer.status, answer.headers.get("allow")], [405, "POST, OPTIONS"]);
});
