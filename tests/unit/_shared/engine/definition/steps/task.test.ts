import assert from "node:assert/strict";
import { contextOf } from "../../support.ts";
import {
  accepted,
  acceptedStep,
  commonRefusals,
  only,
  task,
  taskOf,
  testRefusals,
} from "../support.ts";

const validate = (rule: object) => ({ transformer_id: "t", validate: rule });

testRefusals("task", [
  ...commonRefusals({ transformer_id: "t" }),
  ["no transformer", {}, ["steps.a.transformer_id is required"]],
  ["a key of another type", { transformer_id: "t", seconds: 1 }, [
    "steps.a.seconds is not a known key",
  ]],
  ["a callback that is no truth", { transformer_id: "t", callback: "yes" }, [
    'steps.a.callback must be true or false: current value is "yes"',
  ]],
  ["a pattern that is none", validate({ type: "regex", pattern: "(" }), [
    'steps.a.validate.pattern must be a regular expression as of RE2 (error parsing regexp: missing closing ): `(`): current value is "("',
  ]],
  ["a pattern that RE2 does not have", validate({ type: "regex", pattern: "(?=a)b" }), [
    'steps.a.validate.pattern must be a regular expression as of RE2 (error parsing regexp: invalid or unsupported Perl syntax: `(?=`): current value is "(?=a)b"',
  ]],
  ["an empty pattern", validate({ type: "regex", pattern: "" }), [
    'steps.a.validate.pattern must have a length >= 1: current value is ""',
  ]],
  ["a constant to match that is no text", validate({ type: "regex", pattern: "a", value: 5 }), [
    "steps.a.validate.value must be a text: current value is 5",
  ]],
  ["a bad path to match", validate({ type: "regex", pattern: "a", value: "$.x[" }), [
    `steps.a.validate.value must be a JSONPath as it begins with '$' (for the text itself write { "$literal": "$.x[" }): expected an index, a quoted name, '*', a slice or a filter at position 4`,
  ]],
  ["a bad schema", validate({ type: "json_schema", schema: { type: "x" } }), [
    'steps.a.validate.schema.type must be any of ["array","boolean","integer","null","number","object","string"]',
  ]],
  ["a schema of another form", validate({ type: "json_schema", schema: 5 }), [
    "steps.a.validate.schema must be an object or true or false: current value is 5",
  ]],
  ["a bad expression", validate({ type: "expression", expression: "1 +" }), [
    "steps.a.validate.expression must be a JSONata expression: Unexpected end of expression at position 3",
  ]],
  ["a function without a transformer", validate({ type: "function" }), [
    "steps.a.validate.transformer_id is required",
  ]],
  [
    "a bad input of a function",
    validate({ type: "function", transformer_id: "t", input_map: "{{" }),
    [
      `steps.a.validate.input_map must be a template (for the text itself write { "$literal": "{{" }): '{{' at position 0 is never closed with '}}'`,
    ],
  ],
  ["a bad form of a person", validate({ type: "manual", form: { type: 5 } }), [
    'steps.a.validate.form.type must be any of ["array","boolean","integer","null","number","object","string"]',
  ]],
  ["nobody who checks", validate({ type: "manual", assignees: [] }), [
    "steps.a.validate.assignees must be a list of 1 to 100 user ids, email addresses and roles: current value is []",
  ]],
]);

/** The compiled `validate` of a task. */
function validateOf(rule: object) {
  const checked = acceptedStep("task", validate(rule)).validate;
  assert.ok(checked);
  return checked;
}

Deno.test("taskCheck compiles a pattern that is searched for anywhere", async () => {
  const checked = validateOf({ type: "regex", pattern: "b+c", value: "$.a.output.text" });
  assert.ok(checked.type === "regex");
  assert.equal(checked.test("abbcd"), true);
  assert.equal(checked.test("abbd"), false);
  const document = { a: { output: { text: "x" } } };
  assert.equal(await checked.value?.evaluate(contextOf(document)), "x");
  const bare = validateOf({ type: "regex", pattern: "^a$" });
  assert.ok(bare.type === "regex");
  assert.equal(bare.value, null);
});

Deno.test("taskCheck compiles patterns that no text takes long to be held against", () => {
  const checked = validateOf({ type: "regex", pattern: "^(a+)+$" });
  assert.ok(checked.type === "regex");
  // Exponential in an engine that tries one way after another.
  assert.equal(checked.test("a".repeat(10_000) + "b"), false);
});

Deno.test("taskCheck compiles a schema of the output", () => {
  const checked = validateOf({ type: "json_schema", schema: { required: ["x"] } });
  assert.ok(checked.type === "json_schema");
  assert.deepEqual(checked.problems({ x: 1 }), []);
  assert.deepEqual(checked.problems({}), [{ path: "output.x", message: "is required" }]);
});

Deno.test("taskCheck compiles an expression", async () => {
  const checked = validateOf({ type: "expression", expression: "a.output > 1" });
  assert.ok(checked.type === "expression");
  assert.equal(await checked.expression.test(contextOf({ a: { output: 2 } })), true);
});

Deno.test("taskCheck compiles the input of a function, which may be absent", () => {
  const checked = validateOf({ type: "function", transformer_id: "t", input_map: "$.a.output" });
  assert.ok(checked.type === "function");
  assert.equal(checked.input?.evaluate(contextOf({ a: { output: 7 } })), 7);
  const bare = validateOf({ type: "function", transformer_id: "t" });
  assert.ok(bare.type === "function");
  assert.equal(bare.input, null);
});

Deno.test("taskCheck compiles a question to a person", () => {
  const checked = validateOf({ type: "manual", title: "Look at {{a.output}}", allow_self: false });
  assert.ok(checked.type === "manual");
  assert.equal(checked.ask.title?.evaluate(contextOf({ a: { output: 7 } })), "Look at 7");
  assert.equal(checked.ask.allowSelf, false);
});

Deno.test("taskCheck keeps what is written beside what it compiles", () => {
  const definition = accepted({
    start_step: "a",
    steps: {
      a: task({
        validate: { type: "regex", pattern: "a", next_step_on_pass: "b", next_step_on_fail: "c" },
      }),
      b: task(),
      c: task({ next_step: "a" }),
    },
  });
  const { validate: checked } = taskOf(definition, "a");
  assert.equal(checked?.rule.next_step_on_pass, "b");
  assert.equal(checked?.rule.next_step_on_fail, "c");
  assert.equal(taskOf(accepted(only(task())), "a").validate, null);
});
