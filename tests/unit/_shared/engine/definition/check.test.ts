import assert from "node:assert/strict";
import fc from "fast-check";
import { STEP_TYPES } from "../../../../../supabase/functions/_shared/contracts/definition.ts";
import {
  checkDefinition,
  printProblems,
} from "../../../../../supabase/functions/_shared/engine/definition/check.ts";
import { contextOf } from "../support.ts";
import { accepted, refused, task, taskOf, withKeys, withStep } from "./support.ts";

/** The smallest form, which must always work exactly as written. */
const HELLO = {
  start_step: "step1",
  steps: {
    step1: {
      transformer_id: "echo-transformer",
      input_map: { data: "$.job_input.payload" },
      next_step: null,
    },
  },
  output_map: { result: "$.step1.output.echoed_data" },
};

Deno.test("checkDefinition() takes the smallest form", async () => {
  const definition = accepted(HELLO);
  assert.equal(definition.start_step, "step1");
  assert.equal(definition.max_step_visits, 1000);
  const step = taskOf(definition, "step1");
  assert.deepEqual(step.step, {
    type: "task",
    transformer_id: "echo-transformer",
    input_map: { data: "$.job_input.payload" },
    next_step: null,
    timeout_seconds: 60,
    callback: false,
  });
  assert.equal(step.when, null);
  assert.equal(step.id, "step1");
  const document = { job_input: { payload: 7 }, step1: { output: { echoed_data: 8 } } };
  assert.deepEqual(await step.input?.evaluate(contextOf(document)), { data: 7 });
  assert.deepEqual(await definition.outputMap?.evaluate(contextOf(document)), { result: 8 });
  assert.deepEqual(definition.inputProblems(null), []);
});

Deno.test("checkDefinition() takes every key there is", () => {
  const definition = accepted({
    title: "T",
    description: "D",
    start_step: "a",
    steps: {
      a: {
        type: "task",
        title: "A",
        description: "…",
        when: "job_input.x > 1",
        next_step: "b",
        transformer_id: "t",
        input_map: null,
        config: { url: "https://example.com" },
        retry: {
          max_retries: 0,
          strategy: "linear",
          base_delay_seconds: 0,
          multiplier: 1,
          max_delay_seconds: 0,
          jitter: "none",
          retry_on: ["timeout", "gemini.quota", "gemini.*", "*"],
          never_retry_on: [],
        },
        timeout_seconds: 0.5,
        on_error: [{ errors: ["http_4xx", "*"], next_step: "c" }],
        callback: true,
      },
      b: task({ next_step: "a" }),
      c: task(),
      d: task(),
    },
    output_map: "$.a.output",
    input_schema: { type: "object", required: ["x"] },
    retry: { max_retries: 5 },
    on_error: "d",
    max_step_visits: 5,
    timeout_seconds: 3600,
    metadata: { owner: "me" },
  });
  assert.equal(definition.retry?.max_retries, 5);
  assert.equal(definition.on_error, "d");
  assert.equal(definition.timeout_seconds, 3600);
  assert.ok(definition.steps.get("a")?.when);
  assert.equal(taskOf(definition, "a").input?.evaluate(contextOf({})), null);
  assert.equal(taskOf(definition, "b").input, null);
  assert.deepEqual(definition.inputProblems({}), [
    { path: "input_data.x", message: "is required" },
  ]);
});

Deno.test("checkDefinition() tells an absent output_map from null", () => {
  assert.equal(accepted(withKeys({})).outputMap, null);
  assert.equal(accepted(withKeys({ output_map: null })).outputMap?.evaluate(contextOf({})), null);
});

Deno.test("checkDefinition() takes step ids that objects have keys of", () => {
  const definition = accepted({
    start_step: "constructor",
    steps: { constructor: task({ next_step: "toString" }), toString: task() },
  });
  assert.deepEqual([...definition.steps.keys()], ["constructor", "toString"]);
});

Deno.test("checkDefinition() takes any cycle of tasks", () => {
  accepted(withStep({ next_step: "a" }));
});

Deno.test("checkDefinition() takes a step that only an error leads to", () => {
  accepted({ start_step: "a", steps: { a: task({ on_error: "b" }), b: task() } });
});

Deno.test("checkDefinition() keeps nothing of what it was given", () => {
  const raw = structuredClone(HELLO);
  const definition = accepted(raw);
  raw.steps.step1.input_map.data = "changed";
  const { step } = taskOf(definition, "step1");
  assert.deepEqual(step.input_map, { data: "$.job_input.payload" });
});

Deno.test("checkDefinition() refuses JSON that is nested too deeply, a circle too", () => {
  let deep: unknown = 1;
  for (let i = 0; i < 5000; i++) deep = [deep];
  const place = `steps.a.input_map${"[0]".repeat(97)}`;
  const expected = [`${place} must be nested at most 100 levels deep`];
  assert.deepEqual(refused(withStep({ input_map: deep })), expected);
  const circle: unknown[] = [];
  circle.push(circle);
  assert.deepEqual(refused(withStep({ input_map: circle })), expected);
});

Deno.test("checkDefinition() takes JSON of the deepest nesting", () => {
  let deep: unknown = 1;
  for (let i = 0; i < 97; i++) deep = [deep];
  accepted(withStep({ input_map: deep }));
});

Deno.test("checkDefinition() reports every problem, whatever else is wrong", () => {
  assert.deepEqual(
    refused({
      nope: 1,
      start_step: 5,
      steps: {
        a: task({ when: "(", next_step: "gone", input_map: { x: "$x" } }),
        b: { transformer_id: 5, foo: 1 },
      },
      output_map: "{{",
      input_schema: { type: 1 },
      retry: { jitter: "some" },
    }).map((text) => text.split(" ")[0]),
    [
      "start_step",
      "retry.jitter",
      "nope",
      "steps.b.transformer_id",
      "steps.b.foo",
      "steps.a.next_step",
      "steps.a.when",
      "steps.a.input_map.x",
      "output_map",
      "input_schema.type",
    ],
  );
});

Deno.test("checkDefinition() does not call steps unreachable where another could not be read", () => {
  assert.deepEqual(refused({ start_step: "a", steps: { a: { next_step: "b" }, b: task() } }), [
    "steps.a.transformer_id is required",
  ]);
});

Deno.test("printProblems() puts all problems into one text", () => {
  assert.equal(
    printProblems([{ path: "a", message: "is required" }, { path: "", message: "is odd" }]),
    "a is required; definition is odd",
  );
});

Deno.test("checkDefinition() never throws on any JSON", () => {
  const key = fc.constantFrom(
    ..."start_step steps a b type transformer_id input_map next_step when retry on_error errors output_map input_schema $expr $literal $ref choices default branches branch items validate pattern form event output"
      .split(" "),
  );
  const tree = fc.letrec((tie) => ({
    node: fc.oneof(
      fc.jsonValue(),
      fc.constantFrom("a", "b", "$.a", "{{a}}", "(", ...STEP_TYPES),
      fc.array(tie("node"), { maxLength: 3 }),
      fc.dictionary(key, tie("node"), { maxKeys: 5 }),
    ),
  })).node;
  const definition = fc.record({ start_step: tree, steps: fc.dictionary(key, tree) });
  fc.assert(
    fc.property(fc.oneof(tree, definition, fc.anything()), (raw) => {
      const result = checkDefinition(raw);
      assert.ok(result.ok || result.problems.length > 0);
    }),
    { numRuns: 2000 },
  );
});
