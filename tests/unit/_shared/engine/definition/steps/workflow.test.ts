import assert from "node:assert/strict";
import { contextOf } from "../../support.ts";
import { acceptedStep, commonRefusals, testRefusals } from "../support.ts";

testRefusals("workflow", [
  ...commonRefusals({ workflow_id: "w" }),
  ["no workflow", {}, ["steps.a.workflow_id is required"]],
  ["an empty workflow id", { workflow_id: "" }, [
    'steps.a.workflow_id must have a length >= 1: current value is ""',
  ]],
  ["a version of zero", { workflow_id: "w", version: 0 }, [
    "steps.a.version must be > 0: current value is 0",
  ]],
  ["a version that is no number", { workflow_id: "w", version: "1" }, [
    'steps.a.version must be a number: current value is "1"',
  ]],
  ["an input that cannot be parsed", { workflow_id: "w", input_map: [{ $expr: 5 }] }, [
    "steps.a.input_map[0].$expr must be a JSONata expression: current value is 5",
  ]],
  ["detached that is no truth", { workflow_id: "w", detached: 1 }, [
    "steps.a.detached must be true or false: current value is 1",
  ]],
  ["a time limit of zero", { workflow_id: "w", timeout_seconds: 0 }, [
    "steps.a.timeout_seconds must be > 0: current value is 0",
  ]],
]);

Deno.test("workflowCheck compiles its input, which may be absent", () => {
  const checked = acceptedStep("workflow", { workflow_id: "w", input_map: { x: "$.job_input" } });
  assert.deepEqual(checked.input?.evaluate(contextOf({ job_input: 1 })), { x: 1 });
  assert.equal(checked.step.detached, false);
  assert.equal(acceptedStep("workflow", { workflow_id: "w" }).input, null);
});
