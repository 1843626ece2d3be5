import assert from "node:assert/strict";
import { type Answer, call, post } from "../support/call.ts";
import { openDatabase } from "../support/database.ts";
import { control, hasControl, testStack } from "../support/stack.ts";
import { createUser, type TestUser } from "../support/user.ts";
import { createWorkflow } from "../support/workflow.ts";

const stack = await testStack();

async function setUp(): Promise<{ user: TestUser; workflowId: string }> {
  await using db = openDatabase(stack);
  return { user: await createUser(stack), workflowId: await createWorkflow(db) };
}

/** Repeats a call until it succeeds, as Retry-After asks (though sooner); every failure is a 503. */
async function persist(send: () => Promise<Answer>, seen: number[]): Promise<Answer> {
  for (let tries = 0; tries < 400; tries++) {
    const answer = await send();
    seen.push(answer.status);
    if (answer.status < 300) return answer;
    assert.equal(answer.status, 503, JSON.stringify(answer.body));
    assert.equal(answer.body.error.code, "unavailable");
    assert.match(answer.headers.get("retry-after") ?? "", /^[1-9]\d*$/);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new assert.AssertionError({ message: "the API did not come back" });
}

for (const mode of ["fast", "immediate"]) {
  Deno.test({
    name: `the API answers 503 while Postgres restarts (${mode}), and loses or doubles no start`,
    ignore: !hasControl(stack),
    fn: async () => {
      const { user, workflowId } = await setUp();
      const keys = Array.from({ length: 40 }, () => crypto.randomUUID());
      const seen: number[] = [];
      const start = (key: string) =>
        post(stack, "start-workflow", {
          workflow_id: workflowId,
          idempotency_key: key,
          run_at: "2040-01-31T12:00:00Z",
        }, user);

      await persist(() => start(keys[0] ?? ""), seen);
      const restart = control(stack, "restartPostgres", mode);
      const jobs: string[] = [];
      try {
        for (const key of keys) jobs.push((await persist(() => start(key), seen)).body.job_id);
      } finally {
        await restart;
      }
      await persist(() => call(stack, "list-jobs", { as: user }), seen);

      assert.equal(new Set(jobs).size, keys.length);
      await using db = openDatabase(stack);
      const rows = await db`select id from jobs where user_id = ${user.id}`;
      assert.deepEqual(rows.map((row) => row["id"]).sort(), jobs.sort());
    },
  });
}
