import assert from "node:assert/strict";
import { call, post } from "../support/call.ts";
import { openDatabase } from "../support/database.ts";
import { testStack } from "../support/stack.ts";
import { createUser, type TestUser } from "../support/user.ts";
import { createWorkflow } from "../support/workflow.ts";

const stack = await testStack();
const [workflowId, otherWorkflowId] = await makeWorkflows();
const user = await createUser(stack);
const COUNT = 7;
await insertJobs(user, COUNT);

async function makeWorkflows(): Promise<[string, string]> {
  await using db = openDatabase(stack);
  return [await createWorkflow(db), await createWorkflow(db)];
}

/** Ended jobs, 1 µs apart but for the first two, which were created at the same time. */
async function insertJobs(user: TestUser, count: number): Promise<void> {
  await using db = openDatabase(stack);
  await db`
    insert into jobs (user_id, workflow_id, status, created_at, completed_at)
    select ${user.id}, case when n % 2 = 0 then ${workflowId} else ${otherWorkflowId} end,
      case when n % 3 = 0 then 'completed' else 'cancelled' end,
      '2030-01-31 12:00:00.123450Z'::timestamptz + greatest(n, 1) * interval '1 microsecond',
      '2030-01-31 12:00:01Z'
    from generate_series(0, ${count - 1}::int) as n`;
}

async function pages(limit: number, filter = ""): Promise<Record<string, string>[][]> {
  const found = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const from: string = cursor === "" ? "" : `&cursor=${cursor}`;
    const answer = await call(stack, `list-jobs?limit=${limit}${filter}${from}`, { as: user });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    found.push(answer.body.jobs);
    cursor = answer.body.next_cursor;
  }
  return found;
}

Deno.test("list-jobs answers the caller's jobs, newest first", async () => {
  const answer = await call(stack, "list-jobs", { as: user });
  assert.equal(answer.status, 200);
  assert.equal(answer.body.jobs.length, COUNT);
  assert.equal(answer.body.next_cursor, null);
  const times = answer.body.jobs.map((job: Record<string, string>) => job["created_at"]);
  assert.deepEqual(times, [...times].sort().reverse());
  assert.ok(
    answer.body.jobs.every((job: Record<string, string>) =>
      job["user_id"] === user.id && job["job_id"] === job["id"] && !("lease_token" in job)
    ),
  );
});

for (const limit of [1, 2, 3, 7]) {
  Deno.test(`list-jobs gives each job once by pages of ${limit}, microseconds and ties too`, async () => {
    const found = await pages(limit);
    assert.equal(found.length, Math.ceil(COUNT / limit));
    assert.equal(new Set(found.flat().map((job) => job["id"])).size, COUNT);
  });
}

Deno.test("list-jobs keeps to a status and a workflow, page by page", async () => {
  assert.equal((await pages(2, "&status=completed")).flat().length, 3);
  assert.equal((await pages(2, `&workflow_id=${workflowId}`)).flat().length, 4);
  const both = (await pages(1, `&status=completed&workflow_id=${workflowId}`)).flat();
  assert.equal(both.length, 2);
  assert.ok(
    both.every((job) => job["status"] === "completed" && job["workflow_id"] === workflowId),
  );
  assert.deepEqual(await pages(5, "&workflow_id=no,such(one).eq:%22x%22"), [[]]);
});

Deno.test("list-jobs answers an empty list to a user who has none", async () => {
  const answer = await call(stack, "list-jobs", { as: await createUser(stack) });
  assert.deepEqual(answer.body, { jobs: [], next_cursor: null });
});

Deno.test("list-jobs gives 20 jobs unless told otherwise", async () => {
  const busy = await createUser(stack);
  await insertJobs(busy, 25);
  const answer = await call(stack, "list-jobs", { as: busy });
  assert.equal(answer.body.jobs.length, 20);
  assert.notEqual(answer.body.next_cursor, null);
});

Deno.test("list-jobs shows nobody another user's jobs, by their cursor neither", async () => {
  const first = await call(stack, "list-jobs?limit=1", { as: user });
  const other = await createUser(stack);
  const answer = await call(stack, `list-jobs?cursor=${first.body.next_cursor}`, { as: other });
  assert.deepEqual(answer.body, { jobs: [], next_cursor: null });
});

for (
  const query of [
    "limit=0",
    "limit=101",
    "limit=all",
    "limit=1&limit=2",
    "status=done",
    "status=",
    "cursor=x",
    "cursor=W10",
    "offset=1",
    "user_id=eq.1",
    "select=*",
  ]
) {
  Deno.test(`list-jobs answers 400 for ${query}`, async () => {
    const answer = await call(stack, `list-jobs?${query}`, { as: user });
    assert.deepEqual([answer.status, answer.body.error.code], [400, "invalid_request"]);
    assert.equal(answer.body.error.details[0].path, query.split("=")[0]);
  });
}

Deno.test("list-jobs answers 401 without a token, 405 for POST", async () => {
  assert.equal((await call(stack, "list-jobs")).status, 401);
  assert.equal((await post(stack, "list-jobs", {}, user)).status, 405);
});
