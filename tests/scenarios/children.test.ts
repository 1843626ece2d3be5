import assert from "node:assert/strict";
import { oneStep, type Scenario, scenarios, task } from "../support/scenario.ts";
import { findViolations } from "../support/invariants.ts";

const test = await scenarios();

const noRetry = { retry: { max_retries: 0 } };

/** A branch of one task. */
function branch(action = {}, keys = {}) {
  return { start_step: "work", steps: { work: task(action, { ...noRetry, ...keys }) } };
}

async function childrenOf(scenario: Scenario, id: string) {
  return await scenario.db`select * from jobs where parent_job_id = ${id}
    order by parent_visit, item_index`;
}

/** The job and all below it have ended as they should. */
async function assertSound(scenario: Scenario, workflowId: string): Promise<void> {
  assert.deepEqual(await findViolations(scenario.db, workflowId), []);
}

test("parallel goes on once, after all of its branches", async (scenario) => {
  const gate = crypto.randomUUID();
  const workflow = await scenario.workflow({
    start_step: "fan",
    steps: {
      fan: {
        type: "parallel",
        branches: { left: branch({ output: "l" }), right: branch({ gate, output: "r" }) },
        next_step: "after",
      },
      after: task(),
    },
  });
  const id = await scenario.start(workflow);
  const [left] = await scenario.db`select id from jobs where parent_job_id = ${id} limit 1`;
  assert.equal(left, undefined, "a child can only be there once the parent was claimed");
  const children = await scenario.when(id, (job) => job["open_children"] === 1)
    .then(() => childrenOf(scenario, id));
  assert.deepEqual(children.map(({ status }) => status), ["completed", "running"]);
  assert.equal((await scenario.steps(id)).length, 0);

  scenario.openGate(gate);
  const job = await scenario.ended(id);

  assert.deepEqual(job["final_result"], { left: "l", right: "r" });
  const steps = await scenario.steps(id);
  assert.deepEqual(steps.map(({ step_id, status }) => [step_id, status]), [
    ["fan", "completed"],
    ["after", "completed"],
  ]);
  await assertSound(scenario, workflow);
});

test("a branch sees what the steps around it have given", async (scenario) => {
  const job = await scenario.run({
    start_step: "before",
    steps: {
      before: task({ output: { n: 7 } }, { next_step: "fan" }),
      fan: {
        type: "parallel",
        branches: {
          reads: {
            start_step: "own",
            steps: {
              own: task({}, {
                input_map: { n: "$.before.output.n", who: "{{job_input.name}}", id: "$.job.id" },
                next_step: "again",
              }),
              again: task({}, { input_map: "{{own.output.who}} {{before.output.n}}" }),
            },
            output_map: ["$.own.output", "$.again.output"],
          },
          flows: branch(),
        },
      },
    },
  }, { name: "Ada" });
  assert.deepEqual(job["final_result"], {
    reads: [{ n: 7, who: "Ada", id: job["id"] }, "Ada 7"],
    flows: { n: 7 },
  });
});

test("map gives its results in the order of its items, whatever ends first", async (scenario) => {
  const workflow = await scenario.workflow(oneStep({
    type: "map",
    items: "$.job_input.items",
    branch: {
      start_step: "work",
      steps: { work: task({}, { input_map: { item: "$.item", index: "$.index" } }) },
    },
    max_concurrency: 2,
  }));
  const items = ["a", 0, false, "", null, { deep: [1] }, [], 1.5];
  const job = await scenario.ended(await scenario.start(workflow, { items }));
  assert.deepEqual(job["final_result"], items.map((item, index) => ({ item, index })));
  await assertSound(scenario, workflow);
});

test("map hands falsy items through as they are", async (scenario) => {
  const items = [0, false, "", null];
  const job = await scenario.run(
    oneStep({ type: "map", items: "$.job_input.items", transformer_id: "test" }),
    { items },
  );
  assert.deepEqual(job["final_result"], items);
});

test("map over nothing is nothing, and over what is no list an error", async (scenario) => {
  const definition = oneStep({ type: "map", items: "$.job_input.items", transformer_id: "test" });
  const empty = await scenario.run(definition, { items: [] });
  assert.deepEqual([empty["status"], empty["final_result"]], ["completed", []]);
  const wrong = await scenario.run(definition, { items: { a: 1 } });
  assert.equal(wrong["error"].code, "mapping_failed");
  assert.match(wrong["error_message"], /steps\.only\.items/);
});

test("map in map", async (scenario) => {
  const workflow = await scenario.workflow(oneStep({
    type: "map",
    items: "$.job_input.rows",
    branch: {
      start_step: "inner",
      steps: {
        inner: {
          type: "map",
          items: "$.item",
          max_concurrency: 1,
          branch: {
            start_step: "work",
            steps: { work: task({}, { input_map: { $expr: "item * 10 + index" } }) },
          },
        },
      },
    },
  }));
  const job = await scenario.ended(await scenario.start(workflow, { rows: [[1, 2], [], [3]] }));
  assert.deepEqual(job["final_result"], [[10, 21], [], [30]]);
  await assertSound(scenario, workflow);
});

test("a branch that fails cancels the others, and none stays behind", async (scenario) => {
  const workflow = await scenario.workflow({
    start_step: "fan",
    steps: {
      fan: {
        type: "parallel",
        branches: {
          bad: branch({ sleep_ms: 100, fail: { code: "shop.closed", message: "closed" } }),
          held: branch({ gate: "never" }),
          waits: { start_step: "nap", steps: { nap: { type: "wait", seconds: 3600 } } },
        },
        on_error: [{ errors: ["children_failed"], next_step: "handle" }],
      },
      handle: { type: "transform", output: "$.fan.error.code" },
    },
  });
  const id = await scenario.start(workflow);
  const job = await scenario.ended(id);
  assert.deepEqual([job["status"], job["final_result"]], ["completed", "children_failed"]);
  const children = await childrenOf(scenario, id);
  assert.deepEqual(children.map(({ status }) => status), ["failed", "cancelled", "cancelled"]);
  assert.match(job["step_data"].fan.error.message, /branch 'bad' failed with shop\.closed/);
  await assertSound(scenario, workflow);
});

for (
  const [tolerated, bad, status] of [
    [1, 1, "completed"],
    [1, 2, "failed"],
    ["50%", 2, "completed"],
    ["50%", 3, "failed"],
  ] as const
) {
  test(`map of four with ${bad} failures ends as ${status} where ${tolerated} are tolerated`, async (scenario) => {
    const job = await scenario.run({
      start_step: "each",
      steps: {
        each: {
          type: "map",
          items: [0, 1, 2, 3],
          tolerated_failures: tolerated,
          branch: {
            start_step: "check",
            steps: {
              check: {
                type: "choice",
                choices: [{ when: `index < ${bad}`, next_step: "bad" }],
                default: "good",
              },
              bad: { type: "fail", code: "shop.closed", message: "item {{index}}" },
              good: { type: "transform", output: "$.index" },
            },
          },
        },
      },
      output_map: { output: "$.each.output", errors: "$.each.errors?" },
    });
    assert.equal(job["status"], status, job["error_message"]);
    if (status === "failed") return assert.equal(job["error"].code, "children_failed");
    const { output, errors } = job["final_result"];
    assert.deepEqual(output, [0, 1, 2, 3].map((n) => n < bad ? null : n));
    assert.deepEqual(
      errors.map(({ index, error }: { index: number; error: { code: string } }) => [
        index,
        error.code,
      ]),
      Array.from({ length: bad }, (_, index) => [index, "shop.closed"]),
    );
  });
}

test("a sub-workflow gives its result, and its failure", async (scenario) => {
  const inner = await scenario.workflow({
    start_step: "work",
    steps: { work: task({}, { input_map: { $expr: "job_input.n + 1" } }) },
    input_schema: { type: "object", required: ["n"] },
  });
  const outer = {
    start_step: "call",
    steps: {
      call: {
        type: "workflow",
        workflow_id: inner,
        input_map: "$.job_input",
        next_step: "after",
      },
      after: { type: "transform", output: { got: "$.call.output" } },
    },
  };
  const good = await scenario.run(outer, { n: 1 });
  assert.deepEqual(good["final_result"], { got: 2 });
  const bad = await scenario.run(outer, {});
  assert.equal(bad["error"].code, "children_failed");
  assert.match(bad["error_message"], /input_invalid/);
});

test("a detached sub-workflow runs on its own", async (scenario) => {
  const gate = crypto.randomUUID();
  const inner = await scenario.workflow(oneStep(task({ gate, output: "later" })));
  const job = await scenario.run(
    oneStep({ type: "workflow", workflow_id: inner, detached: true, input_map: { n: 1 } }),
  );
  const id = job["final_result"].job_id;
  const started = await scenario.job(id);
  assert.equal(started["parent_job_id"], null);
  assert.equal(started["user_id"], scenario.userId);
  scenario.openGate(gate);
  assert.equal((await scenario.ended(id))["final_result"], "later");
});

test("a sub-workflow that was deleted meanwhile is an error of its step", async (scenario) => {
  const inner = await scenario.workflow(oneStep(task()));
  const gate = crypto.randomUUID();
  const outer = await scenario.workflow({
    start_step: "first",
    steps: {
      first: task({ gate }, { next_step: "call" }),
      call: { type: "workflow", workflow_id: inner, on_error: "handle" },
      handle: { type: "transform", output: "$.call.error" },
    },
  });
  const id = await scenario.start(outer);
  await scenario.delivered(id);
  await scenario.db`delete from workflows where id = ${inner}`;
  scenario.openGate(gate);
  const job = await scenario.ended(id);
  assert.equal(job["status"], "completed", job["error_message"]);
  assert.equal(job["final_result"].code, "config_invalid");
  assert.ok(job["final_result"].message.includes(inner));
});

test("map over a workflow starts a job for each item", async (scenario) => {
  const inner = await scenario.workflow(
    oneStep(task({}, { input_map: { $expr: "job_input.n * 2" } })),
  );
  const job = await scenario.run(oneStep({
    type: "map",
    items: [1, 2, 3],
    workflow_id: inner,
    input_map: { n: "$.item" },
    max_concurrency: 2,
  }));
  assert.deepEqual(job["final_result"], [2, 4, 6]);
});

test("jobs are nested ten deep and no deeper", async (scenario) => {
  const id = `test_${crypto.randomUUID().replaceAll("-", "")}`;
  const definition = {
    start_step: "more",
    steps: {
      more: {
        type: "choice",
        choices: [{ when: "job_input.n > 0", next_step: "call" }],
        default: "done",
      },
      call: { type: "workflow", workflow_id: id, input_map: { n: { $expr: "job_input.n - 1" } } },
      done: { type: "transform", output: "bottom" },
    },
  };
  await scenario.db`insert into workflows (id, definition)
    values (${id}, ${scenario.db.json(definition as never)})`;
  const deep = await scenario.ended(await scenario.start(id, { n: 10 }));
  assert.equal(deep["final_result"], "bottom", deep["error_message"]);
  const deeper = await scenario.ended(await scenario.start(id, { n: 11 }));
  assert.equal(deeper["status"], "failed");
  assert.match(deeper["error_message"], /nested at most 10 deep/);
});

test("a time limit of a step with children ends them", async (scenario) => {
  const workflow = await scenario.workflow(oneStep({
    type: "parallel",
    timeout_seconds: 0.3,
    branches: { held: branch({ gate: "never" }), quick: branch() },
  }));
  const id = await scenario.start(workflow);
  const job = await scenario.ended(id);
  assert.deepEqual([job["status"], job["error"].code], ["failed", "timeout"]);
  const children = await childrenOf(scenario, id);
  assert.deepEqual(children.map(({ status }) => status), ["cancelled", "completed"]);
  await assertSound(scenario, workflow);
});

test("a time limit of a job ends its children too", async (scenario) => {
  const workflow = await scenario.workflow({
    ...oneStep({ type: "parallel", branches: { held: branch({ gate: "never" }) } }),
    timeout_seconds: 0.4,
  });
  const id = await scenario.start(workflow);
  const job = await scenario.ended(id);
  assert.deepEqual([job["status"], job["error"].code], ["failed", "timeout"]);
  assert.deepEqual((await childrenOf(scenario, id)).map(({ status }) => status), ["cancelled"]);
});

test("a cancelled job takes a thousand waiting children with it", async (scenario) => {
  const workflow = await scenario.workflow(oneStep({
    type: "map",
    items: { $expr: "[1..1000]" },
    max_concurrency: 0,
    branch: { start_step: "nap", steps: { nap: { type: "wait", seconds: 3600 } } },
  }));
  const id = await scenario.start(workflow);
  await scenario.when(id, (job) => job["open_children"] === 1000);
  await scenario.cancel(id);
  const job = await scenario.ended(id);
  assert.equal(job["status"], "cancelled");
  const children = await childrenOf(scenario, id);
  assert.deepEqual(new Set(children.map(({ status }) => status)), new Set(["cancelled"]));
  await assertSound(scenario, workflow);
});

test("map over 10,000 items gives all results in order", async (scenario) => {
  const id = await scenario.start(
    await scenario.workflow(oneStep({
      type: "map",
      items: { $expr: "[1..10000]" },
      max_concurrency: 0,
      branch: {
        start_step: "double",
        steps: { double: { type: "transform", output: { $expr: "item * 2" } } },
      },
    })),
  );
  const job = await scenario.ended(id, 60_000);
  assert.equal(job["status"], "completed", job["error_message"]);
  assert.deepEqual(job["final_result"], Array.from({ length: 10_000 }, (_, n) => (n + 1) * 2));
  const [row] = await scenario.db`select octet_length(state::text) as bytes from jobs
    where id = ${id}`;
  assert.ok(row?.["bytes"] < 1_000, "the results are not kept in the state");
});
