import assert from "node:assert/strict";
import { oneStep, rubbish, scenarios, task } from "../support/scenario.ts";

const test = await scenarios();

const NO_RETRY = { retry: { max_retries: 0 } };
const failing = (code: string, message = "on purpose") =>
  task({ fail: { code, message } }, NO_RETRY);

test("on_error is tried in order, and the handler sees the error", async (scenario) => {
  const job = await scenario.run({
    start_step: "pay",
    steps: {
      pay: {
        ...failing("shop.sold_out", "no more shoes"),
        on_error: [
          { errors: ["timeout"], next_step: "never" },
          { errors: ["shop.*"], next_step: "apologise" },
          { errors: ["*"], next_step: "never" },
        ],
      },
      apologise: task({}, {
        input_map: { code: "$.pay.error.code", why: "{{pay.error.message}}" },
      }),
      never: task(),
    },
  });

  assert.equal(job["status"], "completed");
  assert.deepEqual(job["final_result"], { code: "shop.sold_out", why: "no more shoes" });
  const steps = await scenario.steps(job["id"]);
  assert.deepEqual(steps.map(({ step_id, status }) => [step_id, status]), [
    ["pay", "failed"],
    ["apologise", "completed"],
  ]);
  const events = await scenario.events(job["id"]);
  assert.deepEqual(events.map(({ type, data }) => [type, data.next_step]), [
    ["error_handled", "apologise"],
  ]);
});

test("an error that no handler of the step means goes to the definition's", async (scenario) => {
  const job = await scenario.run({
    start_step: "pay",
    steps: {
      pay: {
        ...failing("shop.sold_out"),
        on_error: [{ errors: ["timeout"], next_step: "clean_up" }],
      },
      clean_up: task({}, { input_map: { failed: "$.pay.status" } }),
    },
    on_error: "clean_up",
  });

  assert.deepEqual([job["status"], job["final_result"]], ["completed", { failed: "failed" }]);
});

test("an error within the definition's handler ends the job with that error", async (scenario) => {
  const job = await scenario.run({
    start_step: "pay",
    steps: { pay: failing("shop.sold_out"), clean_up: failing("shop.closed") },
    on_error: "clean_up",
  });

  assert.deepEqual([job["status"], job["error"].code], ["failed", "shop.closed"]);
});

test("an uncaught error fails the job with its code and words", async (scenario) => {
  const job = await scenario.run({
    start_step: "pay",
    steps: {
      pay: { ...failing("shop.sold_out", "no more shoes"), next_step: "after" },
      after: task(),
    },
  });

  assert.deepEqual([job["status"], job["error_message"]], ["failed", "no more shoes"]);
  assert.equal(job["error"].code, "shop.sold_out");
  assert.equal(job["state_history"].at(-1).error, "shop.sold_out");
  assert.deepEqual(job["step_data"].pay.status, "failed");
  assert.equal(job["step_data"].after, undefined);
});

test("what a handler throws unexpectedly does not reach the user", async (scenario) => {
  const job = await scenario.run(oneStep(task({ throw: "password is hunter2" }, NO_RETRY)));

  assert.equal(job["error"].code, "internal");
  assert.ok(
    !JSON.stringify(job).replace(JSON.stringify(job["input_data"]), "").includes("hunter2"),
  );
});

test("a transformer that is gone fails the step with transformer_not_found", async (scenario) => {
  const id = await scenario.transformer();
  const workflow = await scenario.workflow(oneStep({ transformer_id: id }));
  await scenario.db`delete from transformers where id = ${id}`;

  const job = await scenario.ended(await scenario.start(workflow));

  assert.deepEqual([job["status"], job["error"].code], ["failed", "transformer_not_found"]);
  assert.ok(job["error_message"].includes(id));
});

test("an executor that does not exist is executor_unreachable, by name", async (scenario) => {
  const id = await scenario.transformer({ target_function: "execute-nothing" });

  const job = await scenario.run(oneStep({ transformer_id: id, ...NO_RETRY }));

  assert.deepEqual([job["status"], job["error"].code], ["failed", "executor_unreachable"]);
  assert.match(job["error_message"], /execute-nothing.*404.*deployed/);
});

test("a secret that is not set is secret_missing, by name", async (scenario) => {
  const id = await scenario.transformer({
    type: "http_request",
    target_function: "execute-http-request",
    config: {
      method: "GET",
      url: "http://127.0.0.1:9/",
      auth: { type: "bearer", token_env_var: "NO_SUCH_TOKEN" },
    },
  });

  const job = await scenario.run(oneStep({ transformer_id: id }));

  assert.deepEqual([job["status"], job["error"].code], ["failed", "secret_missing"]);
  assert.match(job["error_message"], /NO_SUCH_TOKEN/);
  assert.equal((await scenario.steps(job["id"])).length, 1, "no retry could set it");
});

for (
  const [what, answer, code] of [
    ["404", { status: 404 }, "executor_unreachable"],
    ["500", { status: 500 }, "executor_unreachable"],
    ["no result", { lines: [] }, "invalid_result"],
    ["no JSON", { lines: ["<html>Bad gateway</html>"] }, "invalid_result"],
    [
      "another task's id",
      { lines: [`{"task_id":"x","status":"completed","output":1}`] },
      "invalid_result",
    ],
    ["no status", { lines: [`{"task_id":"TASK_ID","output":1}`] }, "invalid_result"],
    [
      "an error without a code",
      { lines: [`{"task_id":"TASK_ID","status":"failed","error":"no"}`] },
      "invalid_result",
    ],
    ["an unknown code", {
      lines: [`{"task_id":"TASK_ID","status":"failed","error":{"code":"oops","message":"no"}}`],
    }, "invalid_result"],
  ] as const
) {
  test(`an executor that answers ${what} fails the attempt with ${code}`, async (scenario) => {
    const job = await scenario.run(
      oneStep(
        rubbish({ ...answer, lines: [...("lines" in answer ? answer.lines : [])] }, NO_RETRY),
      ),
    );

    assert.deepEqual([job["status"], job["error"].code], ["failed", code]);
    assert.match(job["error_message"], /execute-rubbish/);
  });
}

test("an executor's first result for a task counts, whatever it says besides", async (scenario) => {
  const result = (output: unknown) =>
    JSON.stringify({ task_id: "TASK_ID", status: "completed", output });
  const job = await scenario.run(oneStep(rubbish({
    lines: ["", "rubbish", `{"task_id":"x","status":"completed","output":0}`, result(1), result(2)],
  })));

  assert.deepEqual([job["status"], job["final_result"]], ["completed", 1]);
  assert.equal((await scenario.steps(job["id"])).length, 1);
});

test("an executor without end is cut off, and its task times out", async (scenario) => {
  const job = await scenario.run(
    oneStep(rubbish({ hang: true }, { timeout_seconds: 0.2, ...NO_RETRY })),
  );

  assert.deepEqual([job["status"], job["error"].code], ["failed", "timeout"]);
});

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
