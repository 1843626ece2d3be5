import assert from "node:assert/strict";
import { call } from "../../support/call.ts";
import { openDatabase } from "../../support/database.ts";
import { testStack } from "../../support/stack.ts";
import { createUser } from "../../support/user.ts";
import { insertFailedJob, startLater } from "../support.ts";

const stack = await testStack();
const owner = await createUser(stack);
const other = await createUser(stack);

/** Every operation on one job, with a body that it takes. */
const OPERATIONS: readonly [method: string, path: string, body?: unknown][] = [
  ["POST", "cancel", {}],
  ["POST", "pause", {}],
  ["POST", "resume", {}],
  ["POST", "retry", {}],
  ["POST", "retry", { input_data: { url: "x" } }],
  ["POST", "signal", { name: "go" }],
  ["GET", "children"],
  ["GET", "steps"],
  ["GET", "events"],
  ["GET", "explain"],
];

for (const [method, path, body] of OPERATIONS) {
  const name = `${method} jobs/{id}/${path} ${body === undefined ? "" : JSON.stringify(body)}`;

  Deno.test(`${name} answers 404 for another user's job, and leaves it alone`, async () => {
    await using db = openDatabase(stack);
    const id = path === "retry" ? await insertFailedJob(db, owner) : await startLater(stack, owner);
    const before = await db`select status, run_number, last_updated_at from jobs where id = ${id}`;
    for (const target of [id, crypto.randomUUID(), "7", "bulk"]) {
      const answer = await call(stack, `jobs/${target}/${path}`, { method, body, as: other });
      assert.deepEqual([answer.status, answer.body.error.code], [404, "job_not_found"], target);
    }
    const after = await db`select status, run_number, last_updated_at from jobs where id = ${id}`;
    assert.deepEqual([...after], [...before]);
    assert.equal((await db`select from job_inbox where job_id = ${id}`).length, 0);
    assert.equal((await db`select from events where job_id = ${id}`).length, 0);
  });

  Deno.test(`${name} answers 401 without a token, 405 to another method`, async () => {
    const target = `jobs/${crypto.randomUUID()}/${path}`;
    const nobody = await call(stack, target, { method, body });
    assert.deepEqual([nobody.status, nobody.body.error.code], [401, "unauthorized"]);
    assert.ok(nobody.headers.get("x-request-id"));
    const wrong = method === "GET" ? "POST" : "GET";
    const answer = await call(stack, target, { method: wrong, as: owner });
    assert.deepEqual([answer.status, answer.headers.get("allow")], [405, `${method}, OPTIONS`]);
  });
}

const BAD_BODIES: readonly [path: string, bodies: unknown[]][] = [
  ["pause", [{ reason: 1 }, { why: "x" }, { reason: "x".repeat(1_001) }, [], "{"]],
  ["resume", [{ reason: "x" }, "null"]],
  ["retry", [{ from_step: 1 }, { from_step: "job input" }, { input_data: [] }, { step: "a" }]],
  ["retry", [{ failed_items_only: "yes" }]],
  ["signal", [{}, { name: "" }, { name: "x".repeat(201) }, { name: "a", key: "b" }]],
  ["signal", [null, 7, "{text", true].map((payload) => ({ name: "a", payload }))],
];

for (const [path, bodies] of BAD_BODIES) {
  for (const body of bodies) {
    Deno.test(`POST jobs/{id}/${path} answers 400 for ${JSON.stringify(body).slice(0, 40)}`, async () => {
      const target = `jobs/${crypto.randomUUID()}/${path}`;
      const answer = await call(stack, target, { method: "POST", body, as: owner });
      assert.equal(answer.status, 400, JSON.stringify(answer.body));
    });
  }
}

for (const path of ["children", "steps", "events"]) {
  for (
    const query of ["limit=0", "limit=101", "cursor=x", "cursor=e30", "offset=1", "limit=1&limit=2"]
  ) {
    Deno.test(`GET jobs/{id}/${path} answers 400 for ${query}`, async () => {
      const answer = await call(stack, `jobs/${crypto.randomUUID()}/${path}?${query}`, {
        as: owner,
      });
      assert.deepEqual([answer.status, answer.body.error.code], [400, "invalid_request"]);
    });
  }
}
