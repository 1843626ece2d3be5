import assert from "node:assert/strict";
import type { RunSummary } from "../../supabase/functions/_shared/orchestrator/run_summary.ts";
import { SECRET_KEY, withFunction } from "../support/function_process.ts";
import { type Scenario, scenarios, task } from "../support/scenario.ts";
import type { TestStack } from "../support/stack.ts";
import { createUser } from "../support/user.ts";
import { until } from "../support/until.ts";

// Nothing is called here that the tests do not call, and a run hands over after a few steps.
const scenario = await scenarios({
  cron: false,
  env: { ORCHESTRATOR_MAX_STEPS: "5", ORCHESTRATOR_SLOTS: "4" },
});

const NAME = "workflow-orchestrator";

interface Kick {
  method?: string;
  headers?: Record<string, string>;
  body?: BodyInit;
  wait?: boolean;
}

/** Calls an orchestrator: the stack's own, or one that `url` leads to. */
async function kick(stack: TestStack, options: Kick = {}, url = `${stack.functionsUrl}/${NAME}`) {
  const { method = "POST", headers = { apikey: stack.secretKey }, wait = false } = options;
  const response = await fetch(wait ? `${url}?wait=true` : url, {
    method,
    headers,
    ...(options.body === undefined ? {} : { body: options.body }),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

/** Waits until the stack's own orchestrator has ended what earlier tests have begun. */
async function end(stack: TestStack): Promise<void> {
  await kick(stack, { wait: true });
}

/** What an orchestrator beside the stack's own is started with. */
function environmentOf(stack: TestStack, more: Record<string, string> = {}) {
  return {
    SUPABASE_URL: stack.apiUrl,
    SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: stack.publishableKey }),
    SUPABASE_SECRET_KEYS: JSON.stringify({ default: stack.secretKey }),
    ...more,
  };
}

/** A definition of steps in a row that all do the same. */
function inARow(count: number, step: Record<string, unknown>) {
  const steps = Object.fromEntries(
    Array.from({ length: count }, (_, at) => [
      `step${at}`,
      { ...step, next_step: at + 1 < count ? `step${at + 1}` : null },
    ]),
  );
  return { start_step: "step0", steps };
}

/** Starts jobs of which nobody is told. */
async function queue(test: Scenario, workflowId: string, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < count; n++) ids.push(await test.start(workflowId, { n }, { kick: false }));
  return ids;
}

/** Every step of these jobs was delivered once, and recorded once. */
async function assertNoDoubleWork(
  test: Scenario,
  ids: readonly string[],
  stepCount: number,
): Promise<void> {
  for (const id of ids) {
    assert.equal(test.ledger(id, "delivered").length, stepCount);
    const records = await test.steps(id);
    assert.deepEqual(
      records.map(({ status, attempt, redeliveries }) => [status, attempt, redeliveries]),
      Array(stepCount).fill(["completed", 1, 0]),
    );
  }
}

scenario("workflow-orchestrator is closed to callers without a secret key", async (test) => {
  const { stack } = test;
  const user = await createUser(stack);
  const callers: Record<string, string>[] = [
    {},
    { apikey: "sb_secret_wrong" },
    { apikey: "" },
    { apikey: stack.publishableKey },
    { apikey: user.token },
    { apikey: stack.publishableKey, authorization: `Bearer ${user.token}` },
    { authorization: `Bearer ${stack.secretKey}` },
  ];
  for (const headers of callers) {
    for (const method of ["POST", "GET"]) {
      const { status, body } = await kick(stack, { method, headers });
      assert.equal(status, 401, `${method} ${JSON.stringify(headers)}`);
      assert.equal(body.error.code, "unauthorized");
      assert.ok(body.error.request_id);
    }
  }
});

scenario("workflow-orchestrator is kicked by POST alone", async ({ stack }) => {
  for (const method of ["GET", "PUT", "DELETE", "PATCH"]) {
    const { status, headers, body } = await kick(stack, { method });
    assert.equal(status, 405);
    assert.equal(headers.get("allow"), "POST");
    assert.equal(body.error.code, "method_not_allowed");
  }
});

scenario("workflow-orchestrator takes a kick with any body, or none", async ({ stack }) => {
  const bodies: (BodyInit | undefined)[] = [
    undefined,
    "",
    "{",
    "null",
    `"start"`,
    "[1]",
    `{"reason":1}`,
    `{"reason":"${"x".repeat(10_000)}"}`,
    new Uint8Array([0xff, 0xfe, 0x00]),
  ];
  for (const body of bodies) {
    const { status, headers, body: answer } = await kick(stack, body === undefined ? {} : { body });
    assert.equal(status, 202);
    assert.equal(answer.accepted, true);
    assert.equal(typeof answer.joined, "boolean");
    assert.ok(headers.get("x-request-id"));
  }
});

scenario("workflow-orchestrator with ?wait=true answers with what it has done", async (test) => {
  const { stack } = test;
  const workflowId = await test.workflow(inARow(2, task()));
  await end(stack);
  const [id] = await queue(test, workflowId, 1);
  const { status, body } = await kick(stack, { wait: true });
  assert.equal(status, 200);
  const { run_id, duration_ms, turns, calls, ...rest } = body as RunSummary;
  assert.match(run_id, /^[0-9a-f-]{36}$/);
  assert.ok(turns >= 3 && calls === 2 && duration_ms >= 0);
  assert.deepEqual(rest, { claimed: 1, steps: 2, completed: 1, failed: 0 });
  assert.equal((await test.job(id ?? ""))["status"], "completed");
});

scenario("workflow-orchestrator joins a kick to the run that is at work", async (test) => {
  const { stack } = test;
  const gate = crypto.randomUUID();
  const [id] = await queue(test, await test.workflow(inARow(1, task({ gate }))), 1);
  const first = await kick(stack);
  assert.ok(id);
  await test.delivered(id);
  const second = await kick(stack);
  assert.deepEqual([first.status, second.body], [202, { accepted: true, joined: true }]);
  const waiting = kick(stack, { wait: true });
  test.openGate(gate);
  const { body } = await waiting;
  assert.equal(body.completed, 1);
});

scenario("two orchestrators share a queue without double work", async (test) => {
  const { stack } = test;
  await end(stack);
  const gate = crypto.randomUUID();
  const workflowId = await test.workflow({
    start_step: "wait",
    steps: { wait: task({ gate }, { next_step: "go" }), go: task() },
  });
  const ids = await queue(test, workflowId, 40);
  const env = environmentOf(stack, { ORCHESTRATOR_SLOTS: "5" });
  await withFunction(NAME, env, async (one) => {
    await withFunction(NAME, env, async (other) => {
      const runs = [one, other].map((url) => kick(stack, { wait: true }, url));
      const delivered = () => ids.flatMap((id) => test.ledger(id, "delivered")).length;
      await until(() => ({ done: delivered() === 10, value: delivered() }));
      test.openGate(gate); // both hold as many as they can
      const summaries = (await Promise.all(runs)).map(({ body }): RunSummary => body);
      const claimed = summaries.map((summary) => summary.claimed);
      assert.ok(claimed.every((count) => count >= 5), `they claimed ${claimed}`);
      assert.equal(claimed.reduce((sum, count) => sum + count), 40);
      assert.equal(summaries.reduce((sum, { steps }) => sum + steps, 0), 80);
    });
  });
  for (const id of ids) assert.equal((await test.job(id))["status"], "completed");
  await assertNoDoubleWork(test, ids, 2);
});

scenario("an orchestrator takes over the jobs of one that was killed", async (test) => {
  const { stack } = test;
  await end(stack);
  const gate = crypto.randomUUID();
  const workflowId = await test.workflow({
    start_step: "wait",
    steps: { wait: task([{ gate }, {}], { next_step: "go" }), go: task() },
  });
  const ids = await queue(test, workflowId, 3);
  const env = environmentOf(stack, { LEASE_SECONDS: "3" });
  await withFunction(NAME, env, async (url) => {
    await kick(stack, {}, url);
    for (const id of ids) await test.delivered(id);
  });
  // It looks ahead, and waits for leases that run out soon.
  await withFunction(NAME, env, async (url) => {
    const { body } = await kick(stack, { wait: true }, url);
    assert.equal(body.completed, 3);
  });
  for (const id of ids) {
    const steps = await test.steps(id);
    assert.deepEqual(steps.map(({ redeliveries }) => redeliveries), [1, 0]);
    const keys = test.ledger(id, "delivered").map((line) => line.idempotency_key);
    assert.deepEqual([keys.length, new Set(keys).size], [3, 2]);
  }
});

scenario(
  "workflow-orchestrator takes callbacks that come before their tasks are accepted",
  async (test) => {
    const step = task({ complete: "by callback", accept: true }, {
      callback: true,
      timeout_seconds: 3_600,
    });
    const ids = await queue(test, await test.workflow(inARow(1, step)), 12);
    await kick(test.stack);
    for (const id of ids) {
      const { status, final_result } = await test.ended(id);
      assert.deepEqual([status, final_result], ["completed", "by callback"]);
    }
    await assertNoDoubleWork(test, ids, 1);
  },
);

scenario("workflow-orchestrator hands over after its steps until all is done", async (test) => {
  const { stack } = test;
  const workflowId = await test.workflow(inARow(3, task()));
  const ids = await queue(test, workflowId, 12);
  const { body } = await kick(stack, { wait: true });
  assert.ok(body.steps >= 5 && body.steps < 36, `one run made ${body.steps} steps`);
  for (const id of ids) assert.equal((await test.ended(id))["status"], "completed");
  await assertNoDoubleWork(test, ids, 3);
});

const VARIABLES: [variable: string, value: string][] = [
  ["ORCHESTRATOR_SLOTS", "many"],
  ["SUPABASE_URL", "nowhere"],
];

for (const [variable, value] of VARIABLES) {
  Deno.test(`workflow-orchestrator names ${variable} when it cannot be used`, async () => {
    const env = {
      SUPABASE_URL: "http://127.0.0.1:9",
      SUPABASE_PUBLISHABLE_KEYS: `{"default":"sb_publishable"}`,
      [variable]: value,
    };
    await withFunction(NAME, env, async (url) => {
      for (let n = 0; n < 2; n++) {
        const response = await fetch(url, { method: "POST", headers: { apikey: SECRET_KEY } });
        const { error } = await response.json();
        assert.equal(response.status, 500);
        assert.equal(error.code, "config_invalid");
        assert.ok(error.message.includes(`'${variable}'`), error.message);
        assert.ok(!error.message.includes(value), error.message);
      }
    });
  });
}

Deno.test("workflow-orchestrator ends when its database is not there", async () => {
  const env = {
    SUPABASE_URL: "http://127.0.0.1:9",
    SUPABASE_PUBLISHABLE_KEYS: `{"default":"sb_publishable"}`,
    LEASE_SECONDS: "3",
  };
  await withFunction(NAME, env, async (url) => {
    const kicked = await fetch(`${url}?wait=true`, {
      method: "POST",
      headers: { apikey: SECRET_KEY },
    });
    assert.equal(kicked.status, 200);
    assert.equal((await kicked.json()).claimed, 0);
  });
});
