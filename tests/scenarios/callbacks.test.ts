import assert from "node:assert/strict";
import { oneStep, type Scenario, scenarios, task } from "../support/scenario.ts";

const test = await scenarios();

const ACCEPT = { accept: true } as const;
const AN_HOUR = 3600;

/** Starts a job whose one step is accepted by its executor; answers its id and the step's token. */
async function accepted(
  scenario: Scenario,
  keys: Record<string, unknown> = {},
): Promise<{ id: string; token: string }> {
  const step = task(ACCEPT, { callback: true, timeout_seconds: AN_HOUR, ...keys });
  const id = await scenario.start(await scenario.workflow(oneStep(step)), { order: 1 });
  await scenario.reaches(id, "waiting");
  return { id, token: scenario.ledger(id).at(0)?.token ?? "" };
}

const complete = ({ db }: Scenario, token: string, output: unknown) =>
  db`select complete_step(${token}, ${db.json(output as never)})`;
const fail = ({ db }: Scenario, token: string, error: unknown) =>
  db`select fail_step(${token}, ${db.json(error as never)})`;

for (const output of [{ paid: true }, "text", 0, null]) {
  test(`a callback completes its step with ${JSON.stringify(output)}`, async (scenario) => {
    const { id, token } = await accepted(scenario);

    await complete(scenario, token, output);
    const job = await scenario.ended(id);

    assert.deepEqual([job["status"], job["final_result"]], ["completed", output]);
    const [step] = await scenario.steps(id);
    assert.deepEqual([step?.["input"], step?.["output"]], [{ order: 1 }, output]);
    assert.equal(scenario.ledger(id, "delivered").length, 1);
    const statuses = job["state_history"].map((entry: { to: string }) => entry.to);
    assert.deepEqual(statuses, ["pending", "running", "waiting", "running", "completed"]);
  });
}

test("a callback that reports a failure is retried, with another token", async (scenario) => {
  const { id, token } = await accepted(scenario, { retry: { base_delay_seconds: 0 } });

  await fail(scenario, token, { code: "network", message: "no answer" });
  const [, second] = await scenario.delivered(id, 2);
  assert.notEqual(second?.token, token);
  await scenario.reaches(id, "waiting");
  await complete(scenario, second?.token ?? "", "done");

  const job = await scenario.ended(id);
  assert.deepEqual([job["status"], job["final_result"]], ["completed", "done"]);
});

test("a callback may fail its step for good", async (scenario) => {
  const { id, token } = await accepted(scenario);

  await fail(scenario, token, { code: "bank.refused", message: "no money", retryable: false });

  const job = await scenario.ended(id);
  assert.deepEqual([job["status"], job["error"].code], ["failed", "bank.refused"]);
});

test("a callback that does not come in time is a timeout", async (scenario) => {
  const { id } = await accepted(scenario, { timeout_seconds: 0.5, retry: { max_retries: 0 } });

  const job = await scenario.ended(id);

  assert.deepEqual([job["status"], job["error"].code], ["failed", "timeout"]);
  assert.match(job["error_message"], /callback/);
});

test("of two callbacks the first counts", async (scenario) => {
  const { id, token } = await accepted(scenario);

  await scenario.db.begin(async (db) => {
    await db`select complete_step(${token}, '"first"')`;
    await db`select complete_step(${token}, '"second"')`;
  });

  const job = await scenario.ended(id);
  assert.deepEqual([job["status"], job["final_result"]], ["completed", "first"]);
  const events = await scenario.events(id);
  assert.ok(events.some(({ type }) => type === "late_result_dropped"));
});

test("a callback for a job that has ended is refused", async (scenario) => {
  const { id, token } = await accepted(scenario);
  await complete(scenario, token, 1);
  await scenario.ended(id);

  await assert.rejects(complete(scenario, token, 2), { code: "MR007" });
});

test("a token that is not ours is refused", async (scenario) => {
  const { id, token } = await accepted(scenario);
  const [body, signature] = token.split(".");
  const tokens = ["", ".", "x.y", `${body}.`, `${body}.${signature}x`, `x${body}.${signature}`];

  for (const forged of tokens) {
    await assert.rejects(complete(scenario, forged, 1), { code: "MR005" });
  }

  assert.equal((await scenario.job(id))["status"], "waiting");
  await scenario.cancel(id);
});

test("a late callback neither counts nor cuts the wait for the retry short", async (scenario) => {
  const { id, token } = await accepted(scenario, {
    timeout_seconds: 0.3,
    retry: { base_delay_seconds: AN_HOUR, jitter: "none" },
  });
  const before = await scenario.reaches(id, "awaiting_retry");

  await complete(scenario, token, "too late");
  const job = await scenario.when(id, (job) => job["version"] !== before["version"]);
  const after = await scenario.reaches(id, "awaiting_retry");

  assert.equal(job["completed_at"], null);
  assert.deepEqual(after["next_retry_at"], before["next_retry_at"]);
  assert.deepEqual(after["next_run_at"], before["next_run_at"]);
  assert.equal(after["retry_count"], 1);
  assert.equal(scenario.ledger(id, "delivered").length, 1);
  const events = await scenario.events(id);
  assert.ok(events.some(({ type }) => type === "late_result_dropped"));
});

test("a callback that is there before the executor has accepted counts", async (scenario) => {
  const job = await scenario.run(
    oneStep(task({ complete: { quick: true }, accept: true }, {
      callback: true,
      timeout_seconds: AN_HOUR,
    })),
  );

  assert.deepEqual([job["status"], job["final_result"]], ["completed", { quick: true }]);
  assert.equal((await scenario.steps(job["id"])).length, 1);
});

test("a callback while its task is out ends the step, and the executor is told to stop", async (scenario) => {
  const step = task([{ gate: "never" }], { callback: true });
  const id = await scenario.start(await scenario.workflow(oneStep(step)));
  const [delivery] = await scenario.delivered(id);

  await complete(scenario, delivery?.token ?? "", { paid: true });

  const job = await scenario.ended(id);
  assert.deepEqual([job["status"], job["final_result"]], ["completed", { paid: true }]);
  await scenario.noted(id, "aborted");
});

test("a task that its executor accepts though it cannot call back fails", async (scenario) => {
  const job = await scenario.run(oneStep(task(ACCEPT)));

  assert.deepEqual([job["status"], job["error"].code], ["failed", "invalid_result"]);
  assert.match(job["error_message"], /callback: true/);
});
