import assert from "node:assert/strict";
import { contextOf } from "../../support.ts";
import {
  accepted,
  commonRefusals,
  only,
  refused,
  stepOf,
  task,
  taskOf,
  testRefusals,
} from "../support.ts";

const branch = (more: object = {}) => ({ start_step: "b", steps: { b: task() }, ...more });

testRefusals("parallel", [
  ...commonRefusals({ branches: { left: branch() } }),
  ["no branches", {}, ["steps.a.branches is required"]],
  ["branches that are none", { branches: {} }, [
    "steps.a.branches must have 1 to 100 branches: current keys are none",
  ]],
  ["a branch without a start", { branches: { left: { steps: {} } } }, [
    "steps.a.branches.left.start_step is required",
  ]],
  ["a branch without steps", { branches: { left: { start_step: "b" } } }, [
    "steps.a.branches.left.steps is required",
  ]],
  ["a branch with no step", { branches: { left: { start_step: "b", steps: {} } } }, [
    'steps.a.branches.left.start_step must be a step of this branch: current value is "b"',
  ]],
  ["a result of a branch that cannot be parsed", {
    branches: { left: branch({ output_map: "{{" }) },
  }, [
    `steps.a.branches.left.output_map must be a template (for the text itself write { "$literal": "{{" }): '{{' at position 0 is never closed with '}}'`,
  ]],
  ["faults in the steps of several branches", {
    branches: {
      left: branch({ steps: { b: {} } }),
      right: branch({ steps: { b: task({ when: "(", nope: 1 }) } }),
    },
  }, [
    "steps.a.branches.left.steps.b.transformer_id is required",
    "steps.a.branches.right.steps.b.nope is not a known key",
  ]],
  ["a value in a branch that cannot be parsed", {
    branches: { left: branch({ steps: { b: task({ input_map: { x: "$x" } }) } }) },
  }, [
    `steps.a.branches.left.steps.b.input_map.x must be a JSONPath as it begins with '$' (for the text itself write { "$literal": "$x" }): expected '.' or '[' at position 1, found 'x'`,
  ]],
  ["a time limit of more than a year", { branches: { left: branch() }, timeout_seconds: 1e9 }, [
    "steps.a.timeout_seconds must be <= 31622400: current value is 1000000000",
  ]],
]);

const FAN = only({
  type: "parallel",
  branches: {
    right: branch({ output_map: { x: "$.b.output" } }),
    left: branch({ steps: { b: { type: "parallel", branches: { in: branch() } } } }),
  },
});

Deno.test("parallelCheck lists the branches in the order in which they are written", () => {
  assert.deepEqual(stepOf(accepted(FAN), "a", "parallel").branches, [
    { name: "right", path: "a.right" },
    { name: "left", path: "a.left" },
  ]);
});

Deno.test("checkDefinition() makes a definition of each branch, at any depth", () => {
  const definition = accepted({
    ...FAN,
    retry: { max_retries: 7 },
    max_step_visits: 9,
    timeout_seconds: 5,
  });
  const { branches } = definition;
  assert.deepEqual([...branches.keys()].toSorted(), ["a.left", "a.left/b.in", "a.right"]);
  const right = branches.get("a.right");
  assert.ok(right);
  assert.equal(right.start_step, "b");
  assert.equal(taskOf(right, "b").step.transformer_id, "t");
  assert.deepEqual(right.outputMap?.evaluate(contextOf({ b: { output: 1 } })), { x: 1 });
  assert.equal(right.retry?.max_retries, 7);
  assert.equal(right.max_step_visits, 9);
  assert.equal(right.timeout_seconds, undefined);
  assert.equal(right.on_error, undefined);
  assert.equal(right.concurrency, null);
  assert.equal(right.rateLimit, null);
  assert.deepEqual(right.inputProblems(1), []);
  assert.equal(right.branches, branches);
  const left = branches.get("a.left");
  assert.ok(left);
  assert.equal(left.outputMap, null);
  assert.deepEqual(stepOf(left, "b", "parallel").branches, [{ name: "in", path: "a.left/b.in" }]);
});

Deno.test("checkDefinition() takes the same step ids in a branch and around it", () => {
  accepted(only({ type: "parallel", branches: { a: { start_step: "a", steps: { a: task() } } } }));
});

/** Parallels within one another, around a step. */
function nested(levels: number, step: object): object {
  return levels === 0
    ? step
    : { type: "parallel", branches: { n: branch({ steps: { b: nested(levels - 1, step) } }) } };
}

Deno.test("checkDefinition() takes branches 10 deep, with a job there that nobody waits for", () => {
  const detached = { type: "workflow", workflow_id: "w", detached: true };
  const { branches } = accepted(only(nested(10, detached)));
  assert.equal(branches.size, 10);
  assert.ok(branches.has(`a.n${"/b.n".repeat(9)}`));
});

Deno.test("checkDefinition() refuses what starts a job 11 deep", () => {
  const place = `steps.a${".branches.n.steps.b".repeat(10)}`;
  const steps = [
    { type: "workflow", workflow_id: "w" },
    { type: "map", items: [], transformer_id: "t" },
    { type: "parallel", branches: { n: branch() } },
  ];
  for (const step of steps) {
    assert.deepEqual(refused(only(nested(10, step))), [
      `${place} must not start jobs of its own: branches nest at most 10 deep`,
    ]);
  }
});
