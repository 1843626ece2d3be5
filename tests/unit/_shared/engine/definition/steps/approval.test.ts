import assert from "node:assert/strict";
import { contextOf } from "../../support.ts";
import { accepted, acceptedStep, commonRefusals, task, testRefusals } from "../support.ts";

const people = "must be a list of 1 to 100 user ids, email addresses and roles";

testRefusals("approval", [
  ...commonRefusals({}),
  ["a title that is no text", { title: 5 }, ["steps.a.title must be a text: current value is 5"]],
  ["a title that cannot be parsed", { title: "Hi {{" }, [
    `steps.a.title must be a template (for the text itself write { "$literal": "Hi {{" }): '{{' at position 3 is never closed with '}}'`,
  ]],
  ["details that cannot be parsed", { details: { x: "$x" } }, [
    `steps.a.details.x must be a JSONPath as it begins with '$' (for the text itself write { "$literal": "$x" }): expected '.' or '[' at position 1, found 'x'`,
  ]],
  ["nobody", { assignees: [] }, [`steps.a.assignees ${people}: current value is []`]],
  ["one who is no text", { assignees: [1] }, [`steps.a.assignees ${people}: current value is [1]`]],
  ["one without a name", { assignees: [""] }, [
    `steps.a.assignees ${people}: current value is [""]`,
  ]],
  ["an empty text for a list", { assignees: "" }, [
    `steps.a.assignees ${people}: current value is ""`,
  ]],
  ["an address that is too long", { assignees: ["a".repeat(321)] }, [
    `steps.a.assignees ${people}: current value is ["${"a".repeat(78)}…`,
  ]],
  ["no list", { assignees: null }, [`steps.a.assignees ${people}: current value is null`]],
  ["a bad form", { form: { properties: 5 } }, [
    "steps.a.form.properties must be of type object: current type is number",
  ]],
  ["a form of another form", { form: "x" }, [
    'steps.a.form must be an object or true or false: current value is "x"',
  ]],
  ["an allow_self that is no truth", { allow_self: 1 }, [
    "steps.a.allow_self must be true or false: current value is 1",
  ]],
  ["ways that lead nowhere", { on_reject: "x", timeout_seconds: 1, on_timeout: "y" }, [
    'steps.a.on_reject must be a step of this definition: current value is "x"',
    'steps.a.on_timeout must be a step of this definition: current value is "y"',
  ]],
]);

Deno.test("approvalCheck compiles what a person is asked", () => {
  const form = { type: "object", required: ["amount"] };
  const { ask } = acceptedStep("approval", {
    title: "Pay {{job_input.amount}}?",
    details: { to: "$.job_input.to" },
    assignees: ["finance", "$.job_input.boss"],
    form,
    allow_self: false,
    timeout_seconds: 60,
  });
  const context = contextOf({ job_input: { amount: 5, to: "Ann", boss: "bob@example.com" } });
  assert.equal(ask.title?.evaluate(context), "Pay 5?");
  assert.deepEqual(ask.details?.evaluate(context), { to: "Ann" });
  assert.deepEqual(ask.assignees?.evaluate(context), ["finance", "bob@example.com"]);
  assert.deepEqual(ask.form, form);
  assert.deepEqual(ask.formProblems({ amount: 1 }), []);
  assert.deepEqual(ask.formProblems({}), [{ path: "form.amount", message: "is required" }]);
  assert.equal(ask.allowSelf, false);
  assert.equal(ask.timeoutSeconds, 60);
});

Deno.test("approvalCheck fills in what is not written", () => {
  const { ask } = acceptedStep("approval", {});
  const { title, details, assignees, form, allowSelf, timeoutSeconds } = ask;
  assert.deepEqual(
    { title, details, assignees, form, allowSelf, timeoutSeconds },
    {
      title: null,
      details: null,
      assignees: null,
      form: null,
      allowSelf: true,
      timeoutSeconds: null,
    },
  );
  assert.deepEqual(ask.formProblems("anything"), []);
});

Deno.test("approvalCheck takes one assignee outside of a list", () => {
  const { ask } = acceptedStep("approval", { assignees: "ann@example.com" });
  assert.equal(ask.assignees?.evaluate(contextOf({})), "ann@example.com");
});

Deno.test("approvalCheck keeps a form that nothing fits", () => {
  const { ask } = acceptedStep("approval", { form: false });
  assert.equal(ask.form, false);
  assert.equal(ask.formProblems({}).length, 1);
});

Deno.test("approvalCheck leads to its on_reject and its on_timeout", () => {
  accepted({
    start_step: "a",
    steps: {
      a: { type: "approval", on_reject: "b", timeout_seconds: 1, on_timeout: "c" },
      b: task(),
      c: task(),
    },
  });
});
