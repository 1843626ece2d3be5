import assert from "node:assert/strict";
import { delivered } from "../plan/world.ts";
import { at, entryOf, failureOf } from "./support.ts";

const choices = [
  { when: "job_input.n > 10", next_step: "next" },
  { when: "job_input.n > 5", next_step: "other" },
];

for (const [n, next] of [[11, "next"], [6, "other"], [1, "mend"]] as const) {
  Deno.test(`choice: ${n} goes to '${next}'`, async () => {
    const world = at({ type: "choice", choices, default: "mend" }, { n });
    const decision = await world.claim();
    assert.equal(delivered(decision).attempt.step_id, next);
    // It hands nothing on: what led to it leads on.
    assert.deepEqual(delivered(decision).input, { n });
    assert.deepEqual(entryOf(world).output, { next_step: next });
  });
}

Deno.test("choice: none that is true and no default is an error", async () => {
  const world = at({ type: "choice", choices }, { n: 1 });
  await world.claim();
  assert.equal(
    failureOf(world),
    "no_choice_matched: None of the choices of step 's' is true, and it has no default",
  );
  assert.equal(world.last.status, "failed");
});

Deno.test("choice: its errors have a handler, and are never tried again", async () => {
  const step = { type: "choice", choices, on_error: "mend" };
  const decision = await at(step, { n: 1 }, { retry: { retry_on: ["*"] } }).claim();
  assert.equal(delivered(decision).attempt.step_id, "mend");
});

Deno.test("choice: an expression that fails is the error of the step", async () => {
  const step = { type: "choice", choices: [{ when: "$error('no')", next_step: "next" }] };
  const world = at(step);
  await world.claim();
  assert.match(failureOf(world), /^expression_failed: /);
});

Deno.test("choice: skipped by its `when`, it goes to its next_step", async () => {
  const world = at({ type: "choice", choices, when: "false", next_step: "mend" }, { n: 11 });
  assert.equal(delivered(await world.claim()).attempt.step_id, "mend");
  assert.deepEqual(world.records, ["s:1:0 skipped"]);
});
