import assert from "node:assert/strict";
import { refused, task, withKeys, withStep } from "./support.ts";

const types =
  "task, choice, wait, parallel, map, workflow, wait_for_event, approval, transform, succeed, fail";
const number = "a letter followed by at most 63 letters, digits, '_' or '-'";

const REFUSED: [name: string, raw: unknown, problems: string[]][] = [
  ["null", null, ["definition must be an object: current value is null"]],
  ["a list", [], ["definition must be an object: current value is []"]],
  ["a text", "x", ['definition must be an object: current value is "x"']],
  ["an empty object", {}, ["start_step is required", "steps is required"]],
  ["steps as a list", { start_step: "a", steps: [] }, [
    "steps must be an object: current value is []",
  ]],
  ["no steps", { start_step: "a", steps: {} }, [
    'start_step must be a step of this definition: current value is "a"',
  ]],
  ["an unknown key", withKeys({ nope: 1 }), ["nope is not a known key"]],
  ["an unknown key of a step", withStep({ inputmap: 1 }), ["steps.a.inputmap is not a known key"]],
  ["a step that is none", { start_step: "a", steps: { a: 5 } }, [
    "steps.a must be an object: current value is 5",
  ]],
  ["a step without a transformer", { start_step: "a", steps: { a: {} } }, [
    "steps.a.transformer_id is required",
  ]],
  ["an empty transformer_id", withStep({ transformer_id: "" }), [
    'steps.a.transformer_id must have a length >= 1: current value is ""',
  ]],
  ["an unknown type", withStep({ type: "wat" }), [
    `steps.a.type must be one of ${types}: current value is "wat"`,
  ]],
  ["a type that is no text", withStep({ type: null }), [
    `steps.a.type must be one of ${types}: current value is null`,
  ]],
  ["a bad step id", { start_step: "1x", steps: { "1x": task() } }, [
    `steps["1x"] must be ${number}: current value is "1x"`,
  ]],
  ["a long step id", { start_step: "a", steps: { a: task(), ["b".repeat(65)]: task() } }, [
    `steps.${"b".repeat(65)} must be ${number}: current value is "${"b".repeat(65)}"`,
  ]],
  ["a reserved step id", { start_step: "item", steps: { item: task() } }, [
    'steps.item must not be job_input, job, item or index, which the job document uses itself: current value is "item"',
  ]],
  ["a target that does not exist", withStep({ next_step: "b" }), [
    'steps.a.next_step must be a step of this definition: current value is "b"',
  ]],
  ["error handlers that do not exist", {
    ...withStep({ on_error: [{ errors: ["*"], next_step: "x" }] }),
    on_error: "y",
  }, [
    'on_error must be a step of this definition: current value is "y"',
    'steps.a.on_error[0].next_step must be a step of this definition: current value is "x"',
  ]],
  ["a step that nothing leads to", { start_step: "a", steps: { a: task(), b: task() } }, [
    "steps.b must be reachable: no step leads to it",
  ]],
  ["a cycle that nothing leads to", {
    start_step: "a",
    steps: { a: task(), b: task({ next_step: "c" }), c: task({ next_step: "b" }) },
  }, [
    "steps.b must be reachable: no step leads to it",
    "steps.c must be reachable: no step leads to it",
  ]],
  ["a next_step that is no text", withStep({ next_step: 5 }), [
    "steps.a.next_step must be a string: current value is 5",
  ]],
  ["an on_error of another form", withStep({ on_error: 5 }), [
    "steps.a.on_error must be a string or a list: current value is 5",
  ]],
  ["an on_error with faults in its list", withStep({ on_error: [{ errors: [] }, 5] }), [
    "steps.a.on_error[0].errors must have a number of items >= 1: current value is []",
    "steps.a.on_error[0].next_step is required",
    "steps.a.on_error[1] must be an object: current value is 5",
  ]],
  ["an error code that is none", withStep({ on_error: [{ errors: ["oops"], next_step: "a" }] }), [
    `steps.a.on_error[0].errors[0] must be an error code, '*', or a prefix such as 'gemini.*': current value is "oops"`,
  ]],
  [
    "a retry policy with faults",
    withStep({
      retry: {
        max_retries: -1,
        strategy: "random",
        base_delay_seconds: "1",
        multiplier: 0.5,
        jitter: true,
        retry_on: "*",
        retries: 1,
      },
    }),
    [
      "steps.a.retry.max_retries must be >= 0: current value is -1",
      'steps.a.retry.strategy must be one of exponential, linear, fixed: current value is "random"',
      'steps.a.retry.base_delay_seconds must be a number: current value is "1"',
      "steps.a.retry.multiplier must be >= 1: current value is 0.5",
      "steps.a.retry.jitter must be one of full, none: current value is true",
      'steps.a.retry.retry_on must be a list: current value is "*"',
      "steps.a.retry.retries is not a known key",
    ],
  ],
  ["a time limit of zero", withStep({ timeout_seconds: 0 }), [
    "steps.a.timeout_seconds must be > 0: current value is 0",
  ]],
  ["a time limit of more than a day", withStep({ timeout_seconds: 86_401 }), [
    "steps.a.timeout_seconds must be <= 86400: current value is 86401",
  ]],
  ["a long title", withKeys({ title: "x".repeat(201) }), [
    `title must have a length <= 200: current value is "${"x".repeat(79)}…`,
  ]],
  ["a budget that is no integer", withKeys({ max_step_visits: 1.5 }), [
    "max_step_visits must be an integer: current value is 1.5",
  ]],
  ["a budget of zero", withKeys({ max_step_visits: 0 }), [
    "max_step_visits must be >= 1: current value is 0",
  ]],
  ["a bad schema", withKeys({ input_schema: { type: "x" } }), [
    'input_schema.type must be any of ["array","boolean","integer","null","number","object","string"]',
  ]],
  ["a schema of another form", withKeys({ input_schema: 5 }), [
    "input_schema must be of type object or boolean: current type is number",
  ]],
  ["a bad JSONPath", withStep({ input_map: { a: "$.x[" } }), [
    `steps.a.input_map.a must be a JSONPath as it begins with '$' (for the text itself write { "$literal": "$.x[" }): expected an index, a quoted name, '*', a slice or a filter at position 4`,
  ]],
  ["a bad expression", withKeys({ output_map: [{ $expr: "1 +" }] }), [
    "output_map[0].$expr must be a JSONata expression: Unexpected end of expression at position 3",
  ]],
  ["a bad condition", withStep({ when: "a b" }), [
    'steps.a.when must be a JSONata expression: Syntax error: "b" at position 3',
  ]],
  ["what Postgres cannot keep", withStep({ title: "a\0", config: { "\ud800": "\udc00" } }), [
    "steps.a.title must not hold the character U+0000, which Postgres cannot keep",
    'steps.a.config["\\ud800"] must not hold half of a surrogate pair, which is no character',
  ]],
  ["half of a surrogate pair", withStep({ title: "\ud800" }), [
    "steps.a.title must not hold half of a surrogate pair, which is no character",
  ]],
  ["a key named __proto__", withStep({ config: JSON.parse('{"a":[{"__proto__":1}]}') }), [
    "steps.a.config.a[0].__proto__ is a key that is not allowed",
  ]],
  ["what is not JSON", withStep({ config: { a: NaN, b: () => 1, c: 1n } }), [
    "steps.a.config.a must be a JSON value: current value is NaN",
    "steps.a.config.b must be a JSON value: current type is function",
    "steps.a.config.c must be a JSON value: current type is bigint",
  ]],
  ["more bytes than fit", withStep({ description: "é".repeat(600_000) }), [
    "definition must be at most 1048576 bytes of JSON: current size is 1200072",
  ]],
  ["more steps than fit", {
    start_step: "s0",
    steps: Object.fromEntries(Array.from({ length: 501 }, (_, i) => [`s${i}`, task()])),
  }, ["steps must be at most 500 steps, those of branches included: current number is 501"]],
];

for (const [name, raw, problems] of REFUSED) {
  Deno.test(`checkDefinition() refuses ${name}`, () => assert.deepEqual(refused(raw), problems));
}
