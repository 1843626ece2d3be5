import assert from "node:assert/strict";
import { oneStep, scenarios, task } from "../support/scenario.ts";

const test = await scenarios();

test("three steps hand their data on", async (scenario) => {
  const job = await scenario.run({
    start_step: "first",
    steps: {
      first: {
        transformer_id: "echo-transformer",
        input_map: { data: "$.job_input.n" },
        next_step: "second",
      },
      second: task({}, { next_step: "third" }),
      third: task({}, { input_map: { before: "$.second.output.echoed_data", all: "$.job_input" } }),
    },
  }, { n: 7 });

  assert.equal(job["status"], "completed");
  assert.deepEqual(job["final_result"], { before: 7, all: { n: 7 } });
  const steps = await scenario.steps(job["id"]);
  assert.deepEqual(steps.map(({ step_id, input }) => [step_id, input]), [
    ["first", { data: 7 }],
    ["second", { echoed_data: 7 }],
    ["third", { before: 7, all: { n: 7 } }],
  ]);
  const statuses = job["state_history"].map((entry: { to: string }) => entry.to);
  assert.deepEqual(statuses, ["pending", "running", "completed"]);
});

test("every form of value reaches the executor and the result", async (scenario) => {
  const forms = {
    path: "$.job_input.user.name",
    quoted: "$['job_input']['a key']",
    all: "$.job_input.items[*].id",
    filter: "$.job_input.items[?(@.id > 1)].name",
    template: "Hi {{job_input.user.name}}, you have {{$.job_input.items}}",
    typed: "{{job_input.user.age}}",
    expression: { $expr: "$sum(job_input.items.id) * 2" },
    literal: { $literal: "$.not.a.path {{nor a template}}" },
    optional: "$.job_input.absent?",
    optional_template: "[{{job_input.absent?}}]",
    nested: [{ deep: ["$.job_input.user.age", 1, null, false] }],
    job: "{{job.workflow_id}}",
  };
  const input = {
    user: { name: "Ada", age: 36 },
    "a key": "found",
    items: [{ id: 1, name: "one" }, { id: 2, name: "two" }],
  };

  const job = await scenario.run(
    oneStep(task({}, { input_map: forms }), { output_map: { sent: "$.only.output", ...forms } }),
    input,
  );

  const values = {
    path: "Ada",
    quoted: "found",
    all: [1, 2],
    filter: ["two"],
    template: `Hi Ada, you have [{"id":1,"name":"one"},{"id":2,"name":"two"}]`,
    typed: 36,
    expression: 6,
    literal: "$.not.a.path {{nor a template}}",
    optional: null,
    optional_template: "[]",
    nested: [{ deep: [36, 1, null, false] }],
    job: job["workflow_id"],
  };
  assert.equal(job["error_message"], null);
  assert.deepEqual(job["final_result"], { sent: values, ...values });
});

for (const output of [null, false, 0, "", [], {}]) {
  test(`an output that is ${JSON.stringify(output)} stays what it is`, async (scenario) => {
    const job = await scenario.run({
      start_step: "first",
      steps: {
        first: task({ output }, { next_step: "second" }),
        second: task({}, { input_map: { given: "$.first.output" }, next_step: "third" }),
        third: task({ output }),
      },
    });

    assert.deepEqual(job["final_result"], output);
    const steps = await scenario.steps(job["id"]);
    assert.deepEqual(steps.map((step) => step["output"]), [output, { given: output }, output]);
  });
}

for (const input of [null, 5, "text", [1, 2], { a: { b: 1 } }]) {
  test(`a job starts with ${JSON.stringify(input)} as its input`, async (scenario) => {
    const job = await scenario.run(oneStep(task()), input);

    assert.deepEqual([job["status"], job["final_result"]], ["completed", input]);
  });
}

test("a step whose 'when' is false is skipped, and what came before it flows on", async (scenario) => {
  const job = await scenario.run({
    start_step: "first",
    steps: {
      first: task({ output: { from: "first" } }, { next_step: "second" }),
      second: task({}, { when: "job_input.big", next_step: "third" }),
      third: task({}, { next_step: "fourth" }),
      fourth: task({}, {
        when: "second.status = 'skipped'",
        input_map: { skipped: "$.second", kept: "$.third.output" },
      }),
    },
  }, { big: false });

  assert.equal(job["status"], "completed");
  assert.deepEqual(job["final_result"].kept, { from: "first" });
  assert.deepEqual(
    [job["final_result"].skipped.output, job["final_result"].skipped.status],
    [null, "skipped"],
  );
  const steps = await scenario.steps(job["id"]);
  assert.deepEqual(
    steps.map(({ step_id, status, attempt }) => [step_id, status, attempt]),
    [["first", "completed", 1], ["second", "skipped", 0], ["third", "completed", 1], [
      "fourth",
      "completed",
      1,
    ]],
  );
  assert.deepEqual(
    scenario.ledger(job["id"]).map((line) => line.step_id).includes("second"),
    false,
  );
});

test("a job whose steps are all skipped completes with nothing", async (scenario) => {
  const job = await scenario.run(oneStep(task({}, { when: "false" })));

  assert.deepEqual([job["status"], job["final_result"]], ["completed", null]);
});

test("an input_map that finds nothing fails the job and names the place", async (scenario) => {
  const job = await scenario.run(
    oneStep(task({}, { input_map: { to: { amount: "$.job_input.amount" } } })),
  );

  assert.equal(job["status"], "failed");
  assert.equal(job["error"].code, "mapping_failed");
  assert.match(job["error_message"], /steps\.only\.input_map\.to\.amount/);
  assert.match(job["error_message"], /job_input\.amount/);
  assert.equal(scenario.ledger(job["id"]).length, 0);
});

test("an output_map that finds nothing fails the job and names the place", async (scenario) => {
  const job = await scenario.run(
    oneStep(task({ output: {} }), { output_map: { total: "$.only.output.total" } }),
  );

  assert.equal(job["status"], "failed");
  assert.equal(job["error"].code, "mapping_failed");
  assert.match(job["error_message"], /output_map\.total/);
  const steps = await scenario.steps(job["id"]);
  assert.deepEqual(steps.map((step) => step["status"]), ["completed"], "what was done stays done");
});

test("input that does not fit the schema fails a job that was started by SQL", async (scenario) => {
  const job = await scenario.run(
    oneStep(task(), {
      input_schema: {
        type: "object",
        required: ["email"],
        properties: { email: { type: "string" }, age: { type: "integer" } },
      },
    }),
    { age: "old" },
  );

  assert.equal(job["status"], "failed");
  assert.equal(job["error"].code, "input_invalid");
  assert.match(job["error_message"], /email/);
  assert.match(job["error_message"], /age/);
  assert.equal(scenario.ledger(job["id"]).length, 0);
});

test("a definition that only the engine can see through fails its jobs, naming the place", async (scenario) => {
  const faults: [string, Record<string, unknown>][] = [
    ["steps.only.input_map.x", oneStep(task({}, { input_map: { x: "$.job_input[" } }))],
    ["steps.only.when", oneStep(task({}, { when: "1 +" }))],
    ["output_map.y.$expr", oneStep(task(), { output_map: { y: { $expr: "(" } } })],
    ["steps.only.timeout_seconds", oneStep(task({}, { timeout_seconds: -1 }))],
    ["steps.only.retry.strategy", oneStep(task({}, { retry: { strategy: "never" } }))],
    ["max_step_visits", oneStep(task(), { max_step_visits: 0 })],
  ];
  const ids: string[] = [];
  for (const [, definition] of faults) {
    ids.push(await scenario.start(await scenario.workflow(definition)));
  }

  for (const [index, [place]] of faults.entries()) {
    const job = await scenario.ended(ids[index] ?? "");
    assert.equal(job["status"], "failed", place);
    assert.equal(job["error"].code, "definition_invalid", place);
    assert.ok(job["error_message"].includes(place), `${job["error_message"]} names ${place}`);
  }
});
