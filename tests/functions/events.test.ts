import assert from "node:assert/strict";
import { call, post } from "../support/call.ts";
import { openDatabase } from "../support/database.ts";
import { testStack } from "../support/stack.ts";
import { createUser } from "../support/user.ts";

const stack = await testStack();
const user = await createUser(stack);

Deno.test("POST events emits an event of the caller's", async () => {
  await using db = openDatabase(stack);
  const body = { name: "order paid 😀", key: "order-17", payload: { amount: 5, list: [null] } };
  const answer = await post(stack, "events", body, user);
  assert.equal(answer.status, 202, JSON.stringify(answer.body));
  assert.deepEqual(Object.keys(answer.body), ["event_id"]);
  const [event] = await db`
    select name, key, payload, user_id, job_id from events where id = ${answer.body.event_id}`;
  assert.deepEqual({ ...event }, { ...body, user_id: user.id, job_id: null });
});

Deno.test("POST events gives an empty object where there is no payload", async () => {
  await using db = openDatabase(stack);
  const answer = await post(stack, "events", { name: "tick" }, user);
  const [event] = await db`select key, payload from events where id = ${answer.body.event_id}`;
  assert.deepEqual({ ...event }, { key: null, payload: {} });
});

for (
  const body of [
    undefined,
    {},
    [],
    { name: "" },
    { name: 7 },
    { name: "x".repeat(201) },
    { name: "a", key: "" },
    { name: "a", key: "x".repeat(201) },
    { name: "a", payload: "text" },
    { name: "a", payload: null },
    { name: "a", user_id: user.id },
    "{",
  ]
) {
  Deno.test(`POST events answers 400 for ${JSON.stringify(body)?.slice(0, 40)}`, async () => {
    assert.equal((await post(stack, "events", body, user)).status, 400);
  });
}

Deno.test("POST events answers 413 for a payload that is too large", async () => {
  // The database's limit of an event, then the API's of any payload.
  for (const length of [65_536, 1_048_576]) {
    const payload = { text: "x".repeat(length) };
    const answer = await post(stack, "events", { name: "large", payload }, user);
    assert.deepEqual([answer.status, answer.body.error.code], [413, "payload_too_large"]);
  }
});

Deno.test("events answers 401 without a token, 405 for GET, 404 at other paths", async () => {
  assert.equal((await post(stack, "events", { name: "a" })).status, 401);
  const answer = await call(stack, "events", { as: user });
  assert.deepEqual([answer.status, answer.headers.get("allow")], [405, "POST, OPTIONS"]);
  assert.equal((await post(stack, "events/x", { name: "a" }, user)).status, 404);
});

Deno.test("events lets browsers of any origin call", async () => {
  const answer = await call(stack, "events", { method: "OPTIONS" });
  assert.equal(answer.status, 204);
  assert.equal(answer.headers.get("access-control-allow-methods"), "POST, OPTIONS");
});
