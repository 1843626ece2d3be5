import assert from "node:assert/strict";
import { call } from "../../support/call.ts";
import { openDatabase } from "../../support/database.ts";
import { testStack } from "../../support/stack.ts";
import { createUser, type TestUser } from "../../support/user.ts";
import { createWorkflow } from "../../support/workflow.ts";
import { insertWaitingJob } from "../support.ts";

const stack = await testStack();
const owner = await createUser(stack);
const { parent, children } = await makeFamily(owner);

/** A parent with children of two steps, one of them entered twice; inserted in no order. */
async function makeFamily(owner: TestUser): Promise<{ parent: string; children: string[] }> {
  await using db = openDatabase(stack);
  const workflow_id = await createWorkflow(db);
  const parent = await insertWaitingJob(db, owner, { workflow_id });
  const places = [["each", 1, 0], ["each", 1, 1], ["each", 1, 10], ["each", 2, 0], ["fan", 1, 0]];
  const rows = places.map(([step, visit, index], place) => ({
    id: crypto.randomUUID(),
    user_id: owner.id,
    workflow_id,
    parent_job_id: parent,
    parent_step_id: step,
    parent_visit: visit,
    item_index: index,
    item: db.json(index === 1 ? null : { at: index } as never),
    branch: step === "fan" ? "fan.left" : "each",
    status: place % 2 === 0 ? "completed" : "failed",
    error_message: place % 2 === 0 ? null : "no",
    error: place % 2 === 0 ? null : db.json({ code: "timeout", message: "no" } as never),
    completed_at: new Date(),
  }));
  await db`insert into jobs ${db(rows.toReversed() as never)}`;
  return { parent, children: rows.map(({ id }) => id) };
}

async function pages(query: string, as = owner): Promise<Record<string, unknown>[]> {
  const found = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const from: string = cursor === "" ? "" : `&cursor=${cursor}`;
    const answer = await call(stack, `jobs/${parent}/children?${query}${from}`, { as });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    found.push(...answer.body.children);
    cursor = answer.body.next_cursor;
  }
  return found;
}

for (const limit of [1, 2, 5, 100]) {
  Deno.test(`GET jobs/{id}/children gives them in order by pages of ${limit}`, async () => {
    const found = await pages(`limit=${limit}`);
    assert.deepEqual(found.map((child) => child["job_id"]), children);
  });
}

Deno.test("GET jobs/{id}/children keeps to a status, page by page", async () => {
  const found = await pages("limit=1&status=failed");
  assert.deepEqual(found.map((child) => child["job_id"]), [children[1], children[3]]);
});

Deno.test("GET jobs/{id}/children shows what makes a child, and nothing of the engine's", async () => {
  const [first, second] = await pages("limit=2");
  assert.deepEqual(
    [first?.["item"], first?.["item_index"], first?.["branch"], first?.["root_job_id"]],
    [{ at: 0 }, 0, "each", parent],
  );
  assert.equal(second?.["item"], null);
  assert.ok(first !== undefined && !("slot_key" in first) && !("children" in first));
});

Deno.test("GET jobs/{id}/children answers an empty page for a job without", async () => {
  const answer = await call(stack, `jobs/${children[0]}/children`, { as: owner });
  assert.deepEqual([answer.status, answer.body], [200, { children: [], next_cursor: null }]);
});

Deno.test("GET jobs/{id} tells how the children stand, those that failed first", async () => {
  const answer = await call(stack, `jobs/${parent}`, { as: owner });
  const { total, by_status, failed } = answer.body.children;
  assert.deepEqual({ total, by_status }, { total: 5, by_status: { completed: 3, failed: 2 } });
  const ids = failed.map((child: Record<string, unknown>) => child["job_id"]);
  assert.deepEqual(ids.sort(), [children[1], children[3]].sort());
  assert.deepEqual(Object.keys(failed[0]).sort(), [
    "branch",
    "error",
    "item_index",
    "job_id",
    "step_id",
  ]);
  assert.equal((await call(stack, `jobs/${children[0]}`, { as: owner })).body.children, null);
});

for (const door of ["jobs", "list-jobs"]) {
  Deno.test(`GET ${door} lists roots only, unless asked`, async () => {
    const roots = await call(stack, door, { as: owner });
    assert.deepEqual(roots.body.jobs.map(({ id }: { id: string }) => id), [parent]);
    assert.equal(roots.body.next_cursor, null);
    const all = await call(stack, `${door}?include_children=true`, { as: owner });
    assert.equal(all.body.jobs.length, 1 + children.length);
    const failed = `${door}?include_children=true&status=failed&limit=1`;
    const page = await call(stack, failed, { as: owner });
    assert.equal(page.body.jobs.length, 1);
    assert.notEqual(page.body.next_cursor, null);
  });
}

Deno.test("GET jobs answers 400 for include_children=yes", async () => {
  const answer = await call(stack, "jobs?include_children=yes", { as: owner });
  assert.deepEqual([answer.status, answer.body.error.code], [400, "invalid_request"]);
});
