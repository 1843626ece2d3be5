import assert from "node:assert/strict";
import { call, post } from "../support/call.ts";
import { openDatabase } from "../support/database.ts";
import { testStack } from "../support/stack.ts";
import { createUser } from "../support/user.ts";
import { createWorkflow } from "../support/workflow.ts";

const stack = await testStack();
const user = await createUser(stack);

Deno.test("POST workflows/start is start-workflow by another door", async () => {
  await using db = openDatabase(stack);
  const body = {
    workflow_id: await createWorkflow(db),
    input_data: { payload: "Hello" },
    idempotency_key: crypto.randomUUID(),
    run_at: "2040-01-31T12:00:00Z",
  };
  const first = await post(stack, "workflows/start", body, user);
  const again = await post(stack, "start-workflow", body, user);
  assert.deepEqual([first.status, again.status], [201, 200]);
  assert.deepEqual(first.body, again.body);
});

Deno.test("POST workflows/start answers 401 without a token, 404 for no such workflow", async () => {
  const body = { workflow_id: "no_such_workflow" };
  assert.equal((await post(stack, "workflows/start", body)).status, 401);
  assert.equal((await post(stack, "workflows/start", body, user)).status, 404);
});

Deno.test("workflows answers 404 at its other paths, 405 for GET", async () => {
  assert.equal((await post(stack, "workflows", {}, user)).status, 404);
  assert.equal((await post(stack, "workflows/stop", {}, user)).status, 404);
  const answer = await call(stack, "workflows/start", { as: user });
  assert.deepEqual([answer.status, answer.headers.get("allow")], [405, "POST, OPTIONS"]);
});
