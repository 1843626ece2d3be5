import assert from "node:assert/strict";
import { contextOf } from "../../support.ts";
import { accepted, commonRefusals, stepOf, task, testRefusals } from "../support.ts";

const choices = [{ when: "true", next_step: "a" }];

testRefusals("choice", [
  ...commonRefusals({ choices }),
  ["neither choices nor default", {}, ["steps.a.choices is required"]],
  ["choices that are none", { choices: [], default: "a" }, [
    "steps.a.choices must have a number of items >= 1: current value is []",
  ]],
  ["a way without a condition", { choices: [{ next_step: "a" }] }, [
    "steps.a.choices[0].when is required",
  ]],
  ["a way without a target", { choices: [{ when: "true" }] }, [
    "steps.a.choices[0].next_step is required",
  ]],
  ["an empty condition", { choices: [{ when: "", next_step: "a" }] }, [
    'steps.a.choices[0].when must have a length >= 1: current value is ""',
  ]],
  [
    "a condition that cannot be parsed",
    { choices: [...choices, { when: "1 +", next_step: "a" }] },
    [
      "steps.a.choices[1].when must be a JSONata expression: Unexpected end of expression at position 3",
    ],
  ],
  ["ways that do not exist", { choices: [{ when: "true", next_step: "x" }], default: "y" }, [
    'steps.a.choices[0].next_step must be a step of this definition: current value is "x"',
    'steps.a.default must be a step of this definition: current value is "y"',
  ]],
  ["a default that is no text", { choices, default: null }, [
    "steps.a.default must be a string: current value is null",
  ]],
  ["only itself to go to", { choices, default: "a" }, [
    "steps.a must lead to a wait, a task or an end: it goes in circles",
  ]],
]);

Deno.test("choiceCheck compiles the ways in their order", async () => {
  const definition = accepted({
    start_step: "a",
    steps: {
      a: {
        type: "choice",
        choices: [{ when: "job_input > 5", next_step: "c" }, { when: "true", next_step: "b" }],
      },
      b: task(),
      c: task(),
    },
  });
  const [first, second] = stepOf(definition, "a", "choice").choices;
  assert.deepEqual([first?.next_step, second?.next_step], ["c", "b"]);
  assert.equal(await first?.when.test(contextOf({ job_input: 6 })), true);
  assert.equal(await first?.when.test(contextOf({ job_input: 5 })), false);
});

const circle = (choice: object) => ({
  start_step: "a",
  steps: { a: { type: "choice", choices, ...choice }, b: task({ next_step: "a" }) },
  on_error: "b",
});

Deno.test("choiceCheck takes a circle that a choice without a default may leave by an error", () => {
  accepted(circle({}));
});

Deno.test("choiceCheck takes a circle that a task is in", () => {
  accepted(circle({ default: "b" }));
});

Deno.test("choiceCheck takes a circle that may end where `when` skips the choice", () => {
  accepted(circle({ default: "a", when: "job_input" }));
});
