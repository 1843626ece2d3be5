import assert from "node:assert/strict";
import { oneStep, scenarios, task } from "../support/scenario.ts";

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
