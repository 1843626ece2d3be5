import assert from "node:assert/strict";
import { delivered, iso, T0, task, World } from "./world.ts";

const hello = {
  start_step: "step1",
  steps: { step1: task({ input_map: { data: "$.job_input.payload" }, next_step: null }) },
  output_map: { result: "$.step1.output.echoed_data" },
};

Deno.test("plan() sends a fresh job's first step without a commit of its own", async () => {
  const world = new World(hello, { input_data: { payload: 7 } });
  const decision = await world.claim();
  assert.equal(decision.write, null);
  assert.deepEqual(delivered(decision), {
    attempt: { step_id: "step1", visit: 1, attempt: 1 },
    transformer: world.transformers.get("echo"),
    config: {},
    input: { data: 7 },
    timeoutSeconds: 60,
    callback: false,
    redeliveries: 0,
  });
});

Deno.test("plan() maps the result and completes after the last step", async () => {
  const world = new World(hello, { input_data: { payload: 7 } });
  const row = await world.run(() => ({ output: { echoed_data: 7 } }));
  assert.equal(row.status, "completed");
  assert.deepEqual(world.last.final_result, { result: 7 });
  assert.deepEqual(world.last.step_data, {
    step1: { output: { echoed_data: 7 }, status: "completed", error: null, attempts: 1 },
  });
  assert.deepEqual(row.writes[0]?.steps, [{
    job_id: world.job.job_id,
    step_id: "step1",
    visit: 1,
    attempt: 1,
    status: "completed",
    transformer_id: "echo",
    input: { data: 7 },
    output: { echoed_data: 7 },
    error: null,
    redeliveries: 0,
    started_at: iso(T0 + 10),
    ended_at: iso(T0 + 10),
  }]);
});

Deno.test("plan() ends one step and begins the next in one write", async () => {
  const world = new World({
    start_step: "a",
    steps: { a: task({ next_step: "b" }), b: task() },
  });
  const decision = await world.result(delivered(await world.claim()), { output: 1 });
  assert.equal(decision.write?.job.status, "running");
  assert.equal(decision.write?.job.current_step_id, "b");
  assert.deepEqual(delivered(decision).attempt, { step_id: "b", visit: 1, attempt: 1 });
});

Deno.test("plan() hands a step without input_map the output before it, and job_input at the start", async () => {
  const world = new World(
    { start_step: "a", steps: { a: task({ next_step: "b" }), b: task() } },
    { input_data: { n: 1 } },
  );
  const first = delivered(await world.claim());
  assert.deepEqual(first.input, { n: 1 });
  assert.equal(delivered(await world.result(first, { output: 0 })).input, 0);
});

for (const output of [0, false, "", null, [], {}]) {
  Deno.test(`plan() keeps ${JSON.stringify(output)} as the result`, async () => {
    const world = new World({ start_step: "a", steps: { a: task() } });
    await world.run(() => ({ output }));
    assert.deepEqual(world.last.final_result, output);
  });
}

Deno.test("plan() merges the step's config over the transformer's", async () => {
  const world = new World({ start_step: "a", steps: { a: task({ config: { b: 2, c: 3 } }) } });
  world.addTransformer("echo", { config: { a: 1, b: 1 } });
  assert.deepEqual(delivered(await world.claim()).config, { a: 1, b: 2, c: 3 });
});

Deno.test("plan() skips a step whose when is false and lets what came before flow on", async () => {
  const world = new World({
    start_step: "a",
    steps: {
      a: task({ next_step: "b" }),
      b: task({ when: "a.output > 10", next_step: "c" }),
      c: task(),
    },
  });
  await world.run((delivery) => ({ output: delivery.input === 5 ? "c got 5" : 5 }));
  assert.deepEqual(world.records, ["a:1:1 completed", "b:1:0 skipped", "c:1:1 completed"]);
  assert.deepEqual(world.job.step_data["b"], {
    output: null,
    status: "skipped",
    error: null,
    attempts: 0,
  });
  assert.equal(world.last.final_result, "c got 5");
});

Deno.test("plan() writes a skipped first step before it sends the second", async () => {
  const world = new World({
    start_step: "a",
    steps: { a: task({ when: "false", next_step: "b" }), b: task() },
  }, { input_data: "in" });
  const decision = await world.claim();
  assert.equal(decision.write?.job.current_step_id, "b");
  assert.equal(delivered(decision).input, "in");
});

Deno.test("plan() completes a job all of whose steps were skipped with null", async () => {
  const world = new World({ start_step: "a", steps: { a: task({ when: "false" }) } });
  const row = await world.run(() => ({ output: 1 }));
  assert.equal(row.status, "completed");
  assert.equal(world.last.final_result, null);
});

Deno.test("plan() counts visits of a loop and stops it at its budget", async () => {
  const world = new World({
    start_step: "a",
    steps: { a: task({ next_step: "b" }), b: task({ next_step: "a" }) },
    max_step_visits: 5,
  });
  const row = await world.run(() => ({ output: 1 }));
  assert.equal(row.status, "failed");
  assert.equal(world.last.error?.code, "step_budget_exceeded");
  assert.equal(
    world.last.error?.message,
    "Job must end within 5 steps (max_step_visits): it would enter 'b' as one more",
  );
  assert.deepEqual(world.records, [
    "a:1:1 completed",
    "b:1:1 completed",
    "a:2:1 completed",
    "b:2:1 completed",
    "a:3:1 completed",
  ]);
});

Deno.test("plan() counts visits of a step that leads to itself", async () => {
  const world = new World({
    start_step: "a",
    steps: { a: task({ next_step: "a" }) },
    max_step_visits: 3,
  });
  await world.run(() => ({ output: 1 }));
  assert.deepEqual(world.records, ["a:1:1 completed", "a:2:1 completed", "a:3:1 completed"]);
});

Deno.test("plan() makes a long way through skipped steps durable in between", async () => {
  const world = new World({
    start_step: "a",
    steps: {
      a: task({ when: "false", next_step: "b" }),
      b: task({ when: "false", next_step: "a" }),
    },
    max_step_visits: 250,
  });
  const row = await world.run(() => ({ output: 1 }));
  assert.equal(world.last.error?.code, "step_budget_exceeded");
  assert.deepEqual(row.writes.map((write) => write.steps.length), [100, 100, 50]);
});

Deno.test("plan() lets time stand still within a visit, and go on with the next", async () => {
  const world = new World({
    start_step: "a",
    steps: {
      a: task({ input_map: { $expr: "$millis()" }, next_step: "b", retry: { jitter: "none" } }),
      b: task({ input_map: { $expr: "$millis()" } }),
    },
  });
  const inputs: unknown[] = [];
  await world.run((delivery, nth) => {
    inputs.push(delivery.input);
    return nth === 0 ? { fail: "timeout" } : { output: 1 };
  });
  assert.deepEqual(inputs, [T0, T0, T0 + 1020]);
});

Deno.test("plan() fails the job where output_map finds nothing", async () => {
  const world = new World({
    start_step: "a",
    steps: { a: task() },
    output_map: { x: "$.a.output.missing" },
  });
  const row = await world.run(() => ({ output: {} }));
  assert.equal(row.status, "failed");
  assert.equal(world.last.error?.code, "mapping_failed");
  assert.match(world.last.error?.message ?? "", /output_map\.x/);
});

Deno.test("plan() refuses input that does not fit input_schema, before any step", async () => {
  const world = new World({
    start_step: "a",
    steps: { a: task() },
    input_schema: { type: "object", required: ["url"] },
  });
  const decision = await world.claim();
  assert.equal(decision.effect.type, "release");
  assert.equal(world.last.error?.code, "input_invalid");
  assert.deepEqual(world.records, []);
});

Deno.test("plan() does not check input for ever that no owner survives, nor lets it pass", async () => {
  const world = new World({
    start_step: "a",
    steps: { a: task({ retry: { max_retries: 1 } }) },
    input_schema: { type: "object", required: ["url"] },
  }, { redeliveries: 4 });
  await world.claim();
  assert.equal(world.last.error?.code, "executor_crashed");
  assert.equal(world.last.status, "awaiting_retry");
  await world.claim();
  assert.equal(world.last.error?.code, "input_invalid");
  assert.deepEqual(world.records, ["a:1:1 failed"]);
});

Deno.test("plan() fails a job whose row names a step that its definition lacks", async () => {
  const world = new World({ start_step: "a", steps: { a: task() } }, { current_step_id: "gone" });
  await world.claim();
  assert.equal(world.row.status, "failed");
  assert.equal(world.last.error?.code, "definition_invalid");
});
