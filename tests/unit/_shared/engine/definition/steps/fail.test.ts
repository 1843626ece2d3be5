import assert from "node:assert/strict";
import { contextOf } from "../../support.ts";
import { accepted, acceptedStep, commonRefusals, type Refusal, testRefusals } from "../support.ts";

const code = (value: unknown): Refusal => [
  `a code of ${JSON.stringify(value)}`,
  { code: value },
  [
    `steps.a.code must be one of the engine's error codes, or an own one with a prefix: prefix.name: current value is ${
      JSON.stringify(value)
    }`,
  ],
];

testRefusals("fail", [
  ...commonRefusals({}, { handlesErrors: false }),
  ...["oops", "", "Orders.late", 5, null].map(code),
  ["a message that is no text", { message: { a: 1 } }, [
    'steps.a.message must be a text: current value is {"a":1}',
  ]],
  ["a message that cannot be parsed", { message: "Hi {{" }, [
    `steps.a.message must be a template (for the text itself write { "$literal": "Hi {{" }): '{{' at position 3 is never closed with '}}'`,
  ]],
]);

Deno.test("failCheck compiles code and message, which may be absent", () => {
  const checked = acceptedStep("fail", {
    code: "orders.too_late",
    message: "By {{job_input}} days",
  });
  assert.equal(checked.code?.evaluate(contextOf({})), "orders.too_late");
  assert.equal(checked.message?.evaluate(contextOf({ job_input: 2 })), "By 2 days");
  const bare = acceptedStep("fail", {});
  assert.equal(bare.code, null);
  assert.equal(bare.message, null);
});

Deno.test("failCheck takes the engine's own codes, and any that depends on the job", () => {
  acceptedStep("fail", { code: "rejected" });
  acceptedStep("fail", { code: "$.job_input.code" });
});

Deno.test("failCheck ends any circle that leads to it", () => {
  accepted({
    start_step: "a",
    steps: {
      a: { type: "transform", output: 1, next_step: "b" },
      b: { type: "fail", when: "job_input", next_step: "a" },
    },
  });
});
