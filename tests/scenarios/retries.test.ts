import assert from "node:assert/strict";
import { oneStep, rubbish, type Scenario, scenarios, task } from "../support/scenario.ts";

const test = await scenarios();

const BROKEN = { fail: { code: "network", message: "cable cut" } };

/** Makes the n-th retry of a job at once instead of when it is due; answers the delay, in seconds. */
async function skipDelay(scenario: Scenario, id: string, n = 1): Promise<number> {
  const job = await scenario.when(
    id,
    ({ status, retry_count }) => status === "awaiting_retry" && retry_count === n,
  );
  const failed = (await scenario.steps(id)).at(-1);
  assert.deepEqual(job["next_run_at"], job["next_retry_at"]);
  const delay = job["next_retry_at"].getTime() - failed?.["ended_at"].getTime();
  await scenario.db`update jobs set next_retry_at = millrace.now(), next_run_at = millrace.now()
    where id = ${id}`;
  await scenario.kick();
  return delay / 1000;
}

for (
  const [strategy, retry, delays] of [
    ["exponential", { base_delay_seconds: 60, multiplier: 3, max_delay_seconds: 1000 }, [
      60,
      180,
      540,
      1000,
    ]],
    ["linear", { base_delay_seconds: 60 }, [60, 120, 180, 240]],
    ["fixed", { base_delay_seconds: 60 }, [60, 60, 60, 60]],
  ] as const
) {
  test(`${strategy} retries are made when they should be, and leave their traces`, async (scenario) => {
    const policy = { strategy, ...retry, max_retries: 4, jitter: "none" };
    const workflow = await scenario.workflow(oneStep(task(BROKEN, { retry: policy })));
    const id = await scenario.start(workflow);

    const seen: number[] = [];
    for (const n of [1, 2, 3, 4]) seen.push(await skipDelay(scenario, id, n));
    const job = await scenario.ended(id);

    assert.deepEqual(seen, delays);
    assert.deepEqual([job["status"], job["error"].code, job["retry_count"]], [
      "failed",
      "network",
      4,
    ]);
    assert.equal(job["next_retry_at"], null);
    const steps = await scenario.steps(id);
    assert.deepEqual(steps.map(({ attempt, status }) => `${attempt} ${status}`), [
      ...["1 failed", "2 failed", "3 failed", "4 failed", "5 failed"],
    ]);
    const events = await scenario.events(id);
    assert.deepEqual(
      events.map(({ type, data }) => [type, data.attempt, data.delay_seconds]),
      delays.map((delay, index) => ["retry_scheduled", index + 2, delay]),
    );
    const statuses = job["state_history"].map((entry: { to: string }) => entry.to);
    const retries = delays.flatMap(() => ["awaiting_retry", "running"]);
    assert.deepEqual(statuses, ["pending", "running", ...retries, "failed"]);
    const keys = scenario.ledger(id, "delivered").map((line) => line.idempotency_key);
    assert.equal(new Set(keys).size, 5, "each attempt has a key of its own");
  });
}

test("full jitter draws from the whole range", async (scenario) => {
  const retry = { base_delay_seconds: 1000, strategy: "fixed", max_retries: 5 };
  const workflow = await scenario.workflow(oneStep(task(BROKEN, { retry })));
  const id = await scenario.start(workflow);

  const delays: number[] = [];
  for (let n = 1; n <= 5; n++) delays.push(await skipDelay(scenario, id, n));

  assert.ok(delays.every((delay) => delay >= 0 && delay <= 1000), String(delays));
  assert.equal(new Set(delays).size, 5);
});

test("a job recovers when a retry succeeds, with nobody telling the orchestrator", async (scenario) => {
  const retry = { base_delay_seconds: 0.1, jitter: "none" };
  const job = await scenario.run(oneStep(task([BROKEN, BROKEN, { output: "at last" }], { retry })));

  assert.deepEqual([job["status"], job["final_result"]], ["completed", "at last"]);
  assert.equal(job["step_data"].only.attempts, 3);
});

for (
  const [what, step, keys, transformer, job_max, attempts] of [
    ["the step's", { max_retries: 1 }, { retry: { max_retries: 2 } }, { max_retries: 3 }, 4, 2],
    ["the definition's", {}, { retry: { max_retries: 2 } }, { max_retries: 3 }, 4, 3],
    ["the transformer's", {}, {}, { max_retries: 1 }, 4, 2],
    ["the job's", {}, {}, null, 2, 3],
    ["the default", {}, {}, null, null, 4],
  ] as const
) {
  test(`max_retries is ${what} where nothing closer says otherwise`, async (scenario) => {
    const id = await scenario.transformer({ retry: transformer });
    const definition = oneStep(
      task(BROKEN, { transformer_id: id, retry: { base_delay_seconds: 0, ...step } }),
      keys,
    );

    const job = await scenario.run(
      definition,
      {},
      job_max === null ? {} : { max_retries: job_max },
    );

    assert.deepEqual([job["status"], job["error"].code], ["failed", "network"]);
    assert.equal((await scenario.steps(job["id"])).length, attempts);
  });
}

test("an error that is never to be retried is not", async (scenario) => {
  const job = await scenario.run(
    oneStep(task(BROKEN, { retry: { never_retry_on: ["network"], base_delay_seconds: 0 } })),
  );

  assert.equal(job["status"], "failed");
  assert.equal((await scenario.steps(job["id"])).length, 1);
});

test("retry_on retries what is listed and nothing else", async (scenario) => {
  const fail = (code: string) => ({ fail: { code, message: "no" } });
  const job = await scenario.run(
    oneStep(task([fail("shop.busy"), fail("network"), {}], {
      retry: { retry_on: ["shop.*"], base_delay_seconds: 0 },
    })),
  );

  assert.deepEqual([job["status"], job["error"].code], ["failed", "network"]);
  assert.equal((await scenario.steps(job["id"])).length, 2);
});

test("an error that asks for time gets it where the policy waits for less", async (scenario) => {
  const busy = { fail: { code: "rate_limited", message: "slow down", retry_after_seconds: 500 } };
  const retry = { base_delay_seconds: 10, strategy: "fixed", jitter: "none" };
  const workflow = await scenario.workflow(oneStep(task([busy, {}], { retry })));
  const id = await scenario.start(workflow);

  assert.equal(await skipDelay(scenario, id), 500);
  assert.equal((await scenario.ended(id))["status"], "completed");
});

test("a function that answers 429 with Retry-After gets that time", async (scenario) => {
  const answer = { status: 429, headers: { "retry-after": "77" } };
  const retry = { base_delay_seconds: 0, max_retries: 1 };
  const workflow = await scenario.workflow(oneStep(rubbish(answer, { retry })));
  const id = await scenario.start(workflow);

  assert.equal(await skipDelay(scenario, id), 77);
  assert.equal((await scenario.ended(id))["error"].code, "rate_limited");
});

test("a timeout is retried", async (scenario) => {
  const job = await scenario.run(
    oneStep(task([{ gate: "never" }, { output: "in time" }], {
      timeout_seconds: 0.2,
      retry: { base_delay_seconds: 0 },
    })),
  );

  assert.deepEqual([job["status"], job["final_result"]], ["completed", "in time"]);
  const [first] = await scenario.steps(job["id"]);
  assert.deepEqual([first?.["status"], first?.["error"].code], ["failed", "timeout"]);
});
