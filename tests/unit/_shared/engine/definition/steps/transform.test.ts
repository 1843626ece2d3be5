import assert from "node:assert/strict";
import { contextOf } from "../../support.ts";
import { accepted, acceptedStep, commonRefusals, task, testRefusals } from "../support.ts";

testRefusals("transform", [
  ...commonRefusals({ output: 1 }),
  ["no output", {}, ["steps.a.output is required"]],
  ["an output that cannot be parsed", { output: [{ $expr: "(" }] }, [
    'steps.a.output[0].$expr must be a JSONata expression: Expected ")" before end of expression at position 1',
  ]],
  ["a key of a task", { output: 1, input_map: 1 }, ["steps.a.input_map is not a known key"]],
  ["only itself to go to", { output: 1, next_step: "a" }, [
    "steps.a must lead to a wait, a task or an end: it goes in circles",
  ]],
]);

Deno.test("transformCheck compiles its output, null too", async () => {
  const checked = acceptedStep("transform", { output: { sum: { $expr: "job_input + 1" } } });
  assert.deepEqual(await checked.output.evaluate(contextOf({ job_input: 1 })), { sum: 2 });
  const nothing = acceptedStep("transform", { output: null });
  assert.equal(nothing.output.evaluate(contextOf({})), null);
});

Deno.test("transformCheck takes a circle that an error may lead out of", () => {
  accepted({
    start_step: "a",
    steps: { a: { type: "transform", output: 1, next_step: "a", on_error: "b" }, b: task() },
  });
});
