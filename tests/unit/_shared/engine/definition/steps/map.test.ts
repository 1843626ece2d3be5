import assert from "node:assert/strict";
import { contextOf } from "../../support.ts";
import { accepted, acceptedStep, commonRefusals, only, taskOf, testRefusals } from "../support.ts";

const each = { items: "$.job_input", transformer_id: "t" };
const branch = { start_step: "b", steps: { b: { transformer_id: "t" } } };
const bodies = "must have exactly one of 'transformer_id', 'branch' and 'workflow_id'";
const list = "must be a list of at most 20000 items";
const share = 'must be a count, or a share such as "10%"';

testRefusals("map", [
  ...commonRefusals(each),
  ["no items", { transformer_id: "t" }, ["steps.a.items is required"]],
  ["no body", { items: [] }, [`steps.a ${bodies}: current keys are type, items`]],
  ["two bodies", { ...each, workflow_id: "w" }, [
    `steps.a ${bodies}: current keys are type, items, transformer_id, workflow_id`,
  ]],
  ["three bodies", { ...each, workflow_id: "w", branch }, [
    `steps.a ${bodies}: current keys are type, items, transformer_id, workflow_id, branch`,
  ]],
  ["constant items that are no list", { ...each, items: 5 }, [
    `steps.a.items ${list}: current value is 5`,
  ]],
  ["constant items that are a text", { ...each, items: "abc" }, [
    `steps.a.items ${list}: current value is "abc"`,
  ]],
  ["more constant items than fit", { ...each, items: Array(20_001).fill(0) }, [
    `steps.a.items ${list}: current value is [${"0,".repeat(39)}0…`,
  ]],
  ["items that cannot be parsed", { ...each, items: "$.x[" }, [
    `steps.a.items must be a JSONPath as it begins with '$' (for the text itself write { "$literal": "$.x[" }): expected an index, a quoted name, '*', a slice or a filter at position 4`,
  ]],
  ["an input that cannot be parsed", { ...each, input_map: { x: "{{" } }, [
    `steps.a.input_map.x must be a template (for the text itself write { "$literal": "{{" }): '{{' at position 0 is never closed with '}}'`,
  ]],
  ["an input of a workflow that cannot be parsed", {
    items: [],
    workflow_id: "w",
    input_map: { x: "{{" },
  }, [
    `steps.a.input_map.x must be a template (for the text itself write { "$literal": "{{" }): '{{' at position 0 is never closed with '}}'`,
  ]],
  ["keys that a branch does not take", {
    items: [],
    branch,
    input_map: 1,
    config: {},
    retry: {},
    item_timeout_seconds: 1,
    version: 1,
  }, [
    "steps.a.input_map needs 'transformer_id' or 'workflow_id'",
    "steps.a.config needs 'transformer_id'",
    "steps.a.retry needs 'transformer_id'",
    "steps.a.item_timeout_seconds needs 'transformer_id'",
    "steps.a.version needs 'workflow_id'",
  ]],
  ["a version of a transformer", { ...each, version: 1 }, ["steps.a.version needs 'workflow_id'"]],
  ["a config of a workflow", { items: [], workflow_id: "w", config: {} }, [
    "steps.a.config needs 'transformer_id'",
  ]],
  ["a concurrency below zero", { ...each, max_concurrency: -1 }, [
    "steps.a.max_concurrency must be >= 0: current value is -1",
  ]],
  ["a tolerance of more than all", { ...each, tolerated_failures: "101%" }, [
    `steps.a.tolerated_failures ${share}: current value is "101%"`,
  ]],
  ["a tolerance of part of a percent", { ...each, tolerated_failures: "0.5%" }, [
    `steps.a.tolerated_failures ${share}: current value is "0.5%"`,
  ]],
  ["a tolerance below zero", { ...each, tolerated_failures: -1 }, [
    "steps.a.tolerated_failures must be >= 0: current value is -1",
  ]],
  ["a tolerance of another form", { ...each, tolerated_failures: true }, [
    "steps.a.tolerated_failures must be a number or a string: current value is true",
  ]],
  ["a time limit of an item of more than a day", { ...each, item_timeout_seconds: 86_401 }, [
    "steps.a.item_timeout_seconds must be <= 86400: current value is 86401",
  ]],
  ["a fault in its branch", { items: [], branch: { ...branch, start_step: "x" } }, [
    'steps.a.branch.start_step must be a step of this branch: current value is "x"',
    "steps.a.branch.steps.b must be reachable: no step leads to it",
  ]],
]);

Deno.test("mapCheck has a branch of one task where it names a transformer", async () => {
  const definition = accepted(only({
    type: "map",
    ...each,
    input_map: { n: "$.item" },
    config: { x: 1 },
    retry: { max_retries: 2 },
    item_timeout_seconds: 5,
    when: "false",
  }));
  const body = definition.branches.get("a");
  assert.ok(body);
  assert.equal(body.start_step, "a");
  assert.equal(body.outputMap, null);
  const checked = taskOf(body, "a");
  assert.deepEqual(checked.step, {
    type: "task",
    transformer_id: "t",
    input_map: { n: "$.item" },
    config: { x: 1 },
    retry: { max_retries: 2 },
    timeout_seconds: 5,
    callback: false,
  });
  assert.equal(checked.when, null);
  assert.deepEqual(await checked.input?.evaluate(contextOf({ item: 7, index: 0 })), { n: 7 });
});

Deno.test("mapCheck has nothing in that task that is not written", () => {
  const body = accepted(only({ type: "map", ...each })).branches.get("a");
  assert.ok(body);
  const checked = taskOf(body, "a");
  assert.equal(checked.input, null);
  assert.deepEqual(checked.step, {
    type: "task",
    transformer_id: "t",
    timeout_seconds: 60,
    callback: false,
  });
});

Deno.test("mapCheck compiles its items, and its input only where a workflow takes it", () => {
  const context = contextOf({ job_input: [1, 2], item: 3 });
  const own = acceptedStep("map", { ...each, input_map: 1 });
  assert.deepEqual(own.items.evaluate(context), [1, 2]);
  assert.equal(own.input, null);
  assert.equal(own.path, "a");
  const other = acceptedStep("map", {
    items: [],
    workflow_id: "w",
    version: 2,
    input_map: "$.item",
  });
  assert.equal(other.input?.evaluate(context), 3);
  assert.equal(other.path, null);
  assert.equal(acceptedStep("map", { items: [], workflow_id: "w" }).input, null);
});

Deno.test("mapCheck finds the branch of a map in a branch of a parallel", () => {
  const inner = { type: "map", items: [], branch };
  const definition = accepted(only({
    type: "map",
    items: [],
    branch: {
      start_step: "fan",
      steps: {
        fan: {
          type: "parallel",
          branches: { left: { start_step: "m", steps: { m: inner } } },
        },
      },
    },
  }));
  assert.deepEqual([...definition.branches.keys()].toSorted(), ["a", "a/fan.left", "a/fan.left/m"]);
});

Deno.test("mapCheck fills in what is not written", () => {
  const { step } = acceptedStep("map", each);
  assert.equal(step.max_concurrency, 10);
  assert.equal(step.tolerated_failures, 0);
});

Deno.test("mapCheck takes a tolerance as a count and as a share", () => {
  for (const tolerated_failures of [0, 20_000, "0%", "9%", "100%"]) {
    const { step } = acceptedStep("map", { ...each, tolerated_failures, max_concurrency: 0 });
    assert.equal(step.tolerated_failures, tolerated_failures);
  }
});

Deno.test("mapCheck has no branch where it names a workflow", () => {
  const { branches } = accepted(only({ type: "map", items: [], workflow_id: "w" }));
  assert.equal(branches.size, 0);
});
