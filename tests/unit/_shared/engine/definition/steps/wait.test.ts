import assert from "node:assert/strict";
import { contextOf } from "../../support.ts";
import { acceptedStep, commonRefusals, type Refusal, testRefusals } from "../support.ts";

const seconds = (value: unknown): Refusal => [
  `seconds of ${JSON.stringify(value)}`,
  { seconds: value },
  [`steps.a.seconds must be a number of seconds from 0 to 31622400: current value is ${
    JSON.stringify(value)
  }`],
];
const until = (value: unknown): Refusal => [
  `until ${JSON.stringify(value)}`,
  { until: value },
  [`steps.a.until must be a time as of RFC 3339, such as 2030-01-31T09:00:00Z: current value is ${
    JSON.stringify(value)
  }`],
];

testRefusals("wait", [
  ...commonRefusals({ seconds: 1 }),
  ["nothing to wait for", {}, [
    "steps.a must have one of 'seconds' and 'until': current keys are type",
  ]],
  ["two things to wait for", { seconds: 1, until: "2030-01-01T00:00:00Z" }, [
    "steps.a must have one of 'seconds' and 'until': current keys are type, seconds, until",
  ]],
  ...[-1, "1", null, [], {}, 31_622_401].map(seconds),
  ...["tomorrow", 5, null, "", "2030-01-01", "2030-01-01T00:00:00", "2030-02-30T00:00:00Z"]
    .map(until),
  ["seconds that cannot be parsed", { seconds: { $expr: "(" } }, [
    'steps.a.seconds.$expr must be a JSONata expression: Expected ")" before end of expression at position 1',
  ]],
]);

Deno.test("waitCheck takes constant seconds from none to a year", () => {
  for (const value of [0, 0.5, 86_400, 31_622_400]) {
    const checked = acceptedStep("wait", { seconds: value });
    assert.equal(checked.seconds?.evaluate(contextOf({})), value);
    assert.equal(checked.until, null);
  }
});

Deno.test("waitCheck takes constant times with any offset", () => {
  for (const value of ["2030-01-31T09:00:00Z", "2030-01-31T09:00:00.123456+05:30"]) {
    const checked = acceptedStep("wait", { until: value });
    assert.equal(checked.until?.evaluate(contextOf({})), value);
    assert.equal(checked.seconds, null);
  }
});

Deno.test("waitCheck takes any value that depends on the job", async () => {
  const checked = acceptedStep("wait", { seconds: { $expr: "job_input * 60" } });
  assert.equal(await checked.seconds?.evaluate(contextOf({ job_input: 2 })), 120);
  acceptedStep("wait", { until: "{{job_input.day}}T00:00:00Z" });
});
