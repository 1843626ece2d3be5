import assert from "node:assert/strict";
import { contextOf } from "../../support.ts";
import { accepted, acceptedStep, commonRefusals, only, task, testRefusals } from "../support.ts";

const text = "must be a text of 1 to 200 characters";

testRefusals("wait_for_event", [
  ...commonRefusals({ event: "e" }),
  ["no event", {}, ["steps.a.event is required"]],
  ["an empty name", { event: "" }, [`steps.a.event ${text}: current value is ""`]],
  ["a name that is no text", { event: ["e"] }, [`steps.a.event ${text}: current value is ["e"]`]],
  ["a name of null", { event: null }, [`steps.a.event ${text}: current value is null`]],
  ["a long name", { event: "e".repeat(201) }, [
    `steps.a.event ${text}: current value is "${"e".repeat(79)}…`,
  ]],
  ["an empty key", { event: "e", key: "" }, [`steps.a.key ${text}: current value is ""`]],
  ["a key of null", { event: "e", key: null }, [`steps.a.key ${text}: current value is null`]],
  ["a name that cannot be parsed", { event: "{{" }, [
    `steps.a.event must be a template (for the text itself write { "$literal": "{{" }): '{{' at position 0 is never closed with '}}'`,
  ]],
  ["a match that cannot be parsed", { event: "e", match: "event =" }, [
    "steps.a.match must be a JSONata expression: Unexpected end of expression at position 7",
  ]],
  ["a time limit below zero", { event: "e", timeout_seconds: -1 }, [
    "steps.a.timeout_seconds must be > 0: current value is -1",
  ]],
  ["an on_timeout that leads nowhere", { event: "e", timeout_seconds: 1, on_timeout: "b" }, [
    'steps.a.on_timeout must be a step of this definition: current value is "b"',
  ]],
]);

Deno.test("waitForEventCheck compiles name, key and match", async () => {
  const context = contextOf({ job_input: { id: "7" }, event: { ok: true } });
  const checked = acceptedStep("wait_for_event", {
    event: "paid.{{job_input.id}}",
    key: "$.job_input.id",
    match: "event.ok",
  });
  assert.equal(checked.event.evaluate(context), "paid.7");
  assert.equal(checked.key?.evaluate(context), "7");
  assert.equal(await checked.match?.test(context), true);
});

Deno.test("waitForEventCheck has no key and no match where none is written", () => {
  const checked = acceptedStep("wait_for_event", { event: "e" });
  assert.equal(checked.event.evaluate(contextOf({})), "e");
  assert.equal(checked.key, null);
  assert.equal(checked.match, null);
});

Deno.test("waitForEventCheck takes a constant key that is a number or a truth", () => {
  for (const key of [0, 7.5, false]) {
    const checked = acceptedStep("wait_for_event", { event: "e", key });
    assert.equal(checked.key?.evaluate(contextOf({})), key);
  }
});

Deno.test("waitForEventCheck leads to its on_timeout", () => {
  const step = { type: "wait_for_event", event: "e", timeout_seconds: 1, on_timeout: "b" };
  accepted({ start_step: "a", steps: { ...only(step).steps, b: task() } });
});
