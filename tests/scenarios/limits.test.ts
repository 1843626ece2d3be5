import assert from "node:assert/strict";
import { oneStep, scenarios, task } from "../support/scenario.ts";

const test = await scenarios();

const NO_RETRY = { retry: { max_retries: 0 } };

test("a task that takes longer than its step allows is told to stop, and times out", async (scenario) => {
  const job = await scenario.run(
    oneStep(task({ gate: "never" }, { timeout_seconds: 0.2, ...NO_RETRY })),
  );

  assert.deepEqual([job["status"], job["error"].code], ["failed", "timeout"]);
  assert.equal(scenario.ledger(job["id"], "aborted").length, 1);
});

for (
  const where of ["while a task is out", "while it awaits a retry", "in a loop", "before it starts"]
) {
  test(`a job past its deadline fails with timeout ${where}`, async (scenario) => {
    const definition = {
      "while a task is out": oneStep(task({ gate: "never" })),
      "while it awaits a retry": oneStep(
        task({ fail: { code: "network", message: "no" } }, {
          retry: { base_delay_seconds: 3600, jitter: "none" },
        }),
      ),
      "in a loop": oneStep(task({}, { next_step: "only" }), { max_step_visits: 1_000_000 }),
      "before it starts": oneStep(task()),
    }[where] ?? {};
    const workflow = await scenario.workflow({ ...definition, timeout_seconds: 0.3 });
    const early = where === "before it starts";
    const id = await scenario.start(workflow, {}, { kick: !early });
    if (early) {
      await scenario.db`update jobs set deadline_at = created_at where id = ${id}`;
      await scenario.kick();
    }

    const job = await scenario.ended(id);

    assert.deepEqual([job["status"], job["error"].code], ["failed", "timeout"]);
    assert.match(job["error_message"], /Job did not end before/);
  });
}

test("a loop goes on until a step succeeds, each visit with fresh attempts", async (scenario) => {
  const notReady = { fail: { code: "shop.not_ready", message: "later", retryable: true } };
  const job = await scenario.run({
    start_step: "poll",
    steps: {
      poll: task([notReady, notReady, notReady, notReady, { output: "ready" }], {
        retry: { max_retries: 1, base_delay_seconds: 0 },
        on_error: [{ errors: ["shop.not_ready"], next_step: "pause" }],
      }),
      pause: task({}, { when: "poll.error.message != 'later'", next_step: "poll" }),
    },
  });

  assert.deepEqual([job["status"], job["final_result"]], ["completed", "ready"]);
  const steps = await scenario.steps(job["id"]);
  assert.deepEqual(
    steps.map(({ step_id, visit, attempt, status }) => `${step_id} ${visit}.${attempt} ${status}`),
    [
      ...["poll 1.1 failed", "poll 1.2 failed", "pause 1.0 skipped"],
      ...["poll 2.1 failed", "poll 2.2 failed", "pause 2.0 skipped", "poll 3.1 completed"],
    ],
  );
});

test("a loop without end runs out of its budget", async (scenario) => {
  const job = await scenario.run({
    start_step: "ping",
    steps: { ping: task({}, { next_step: "pong" }), pong: task({}, { next_step: "ping" }) },
    max_step_visits: 7,
  });

  assert.deepEqual([job["status"], job["error"].code], ["failed", "step_budget_exceeded"]);
  assert.match(job["error_message"], /7/);
  const steps = await scenario.steps(job["id"]);
  assert.deepEqual(
    steps.map(({ step_id, visit }) => `${step_id} ${visit}`),
    ["ping 1", "pong 1", "ping 2", "pong 2", "ping 3", "pong 3", "ping 4"],
  );
  const keys = scenario.ledger(job["id"], "delivered").map((line) => line.idempotency_key);
  assert.equal(new Set(keys).size, 7, "each visit has a key of its own");
});
