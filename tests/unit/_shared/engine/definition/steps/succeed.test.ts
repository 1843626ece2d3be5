import assert from "node:assert/strict";
import { contextOf } from "../../support.ts";
import { accepted, acceptedStep, commonRefusals, testRefusals } from "../support.ts";

testRefusals("succeed", [
  ...commonRefusals({}, { handlesErrors: false }),
  ["an output that cannot be parsed", { output: "{{" }, [
    `steps.a.output must be a template (for the text itself write { "$literal": "{{" }): '{{' at position 0 is never closed with '}}'`,
  ]],
]);

Deno.test("succeedCheck tells an absent output from null", () => {
  assert.equal(acceptedStep("succeed", {}).output, null);
  const checked = acceptedStep("succeed", { output: null });
  assert.equal(checked.output?.evaluate(contextOf({})), null);
  assert.ok(checked.output);
});

Deno.test("succeedCheck ends any circle that leads to it", () => {
  accepted({
    start_step: "a",
    steps: {
      a: { type: "transform", output: 1, next_step: "b" },
      b: { type: "succeed", when: "job_input", next_step: "a" },
    },
  });
});
