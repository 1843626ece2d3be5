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

const secret = { apikey: stack.secretKey };
const newId = () => `test_${crypto.randomUUID().replaceAll("-", "")}`;

/** A definition that needs no transformer. */
function definitionOf(output: unknown): Record<string, unknown> {
  return { start_step: "a", steps: { a: { type: "transform", output } } };
}

Deno.test("POST workflows registers a workflow, once", async () => {
  const id = newId();
  const body = { id, description: "Says one", definition: definitionOf(1) };
  const made = await call(stack, "workflows", { method: "POST", body, headers: secret });
  assert.deepEqual([made.status, made.body], [201, { id, version: 1 }], JSON.stringify(made.body));
  const again = await call(stack, "workflows", { method: "POST", body, headers: secret });
  assert.deepEqual([again.status, again.body.error.code], [409, "workflow_exists"]);
});

Deno.test("PUT workflows/{id} registers, changes, and leaves alone what is the same", async () => {
  await using db = openDatabase(stack);
  const id = newId();
  const put = (body: unknown) =>
    call(stack, `workflows/${id}`, { method: "PUT", body, headers: secret });
  const first = await put({ description: "Says one", definition: definitionOf(1) });
  const second = await put({ definition: definitionOf(2) });
  const third = await put({ definition: definitionOf(2) });
  assert.deepEqual([first.status, second.status, third.status], [201, 200, 200]);
  const versions = [first.body, second.body, third.body].map(({ version }) => version);
  assert.deepEqual(versions, [1, 2, 2]);
  const [row] = await db`select description, definition from workflows where id = ${id}`;
  assert.deepEqual({ ...row }, { description: "Says one", definition: definitionOf(2) });
});

for (const [method, path] of [["POST", "workflows"], ["PUT", `workflows/${newId()}`]] as const) {
  const idOf = method === "POST" ? { id: newId() } : {};

  Deno.test(`${method} workflows answers 422 with every problem of the definition`, async () => {
    const definition = {
      start_step: "a",
      steps: { a: { type: "transform", output: "$.[", next_step: "nowhere" } },
    };
    const body = { ...idOf, definition };
    const answer = await call(stack, path, { method, body, headers: secret });
    assert.deepEqual([answer.status, answer.body.error.code], [422, "definition_invalid"]);
    const paths = answer.body.error.details.map((problem: { path: string }) => problem.path);
    assert.deepEqual(paths.sort(), ["steps.a.next_step", "steps.a.output"]);
  });

  Deno.test(`${method} workflows answers 403 to users, 401 to nobody`, async () => {
    const body = { ...idOf, definition: definitionOf(1) };
    const ofUser = await call(stack, path, { method, body, as: user });
    assert.deepEqual([ofUser.status, ofUser.body.error.code], [403, "forbidden"]);
    assert.equal((await call(stack, path, { method, body })).status, 401);
    const wrong = { apikey: `${stack.secretKey}x` };
    assert.equal((await call(stack, path, { method, body, headers: wrong })).status, 401);
  });

  Deno.test(`${method} workflows answers 400 for a bad body`, async () => {
    for (const body of [undefined, {}, { ...idOf, definition: [] }, { ...idOf, version: 2 }, "{"]) {
      assert.equal((await call(stack, path, { method, body, headers: secret })).status, 400);
    }
  });
}

Deno.test("PUT workflows/{id} answers 400 for what is no id", async () => {
  const options = { method: "PUT", body: { definition: definitionOf(1) }, headers: secret };
  const answer = await call(stack, "workflows/a%20b", options);
  assert.deepEqual([answer.status, answer.body.error.details[0].path], [400, "id"]);
});

Deno.test("workflows answers 404 at its other paths, 405 to other methods", async () => {
  assert.equal((await post(stack, "workflows/a/b", {}, user)).status, 404);
  const answer = await call(stack, "workflows/start", { as: user });
  assert.deepEqual([answer.status, answer.headers.get("allow")], [405, "POST, OPTIONS"]);
  assert.equal(
    (await call(stack, "workflows", { as: user })).headers.get("allow"),
    "POST, OPTIONS",
  );
  assert.equal(
    (await call(stack, "workflows/a", { as: user })).headers.get("allow"),
    "PUT, OPTIONS",
  );
});
