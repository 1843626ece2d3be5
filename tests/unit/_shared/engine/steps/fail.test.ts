import assert from "node:assert/strict";
import { at, failureOf } from "./support.ts";

for (
  const [step, code, message] of [
    [{}, "workflow.failed", "Step 's' ended the job"],
    [{ code: "orders.too_late", message: "Sorry, {{job_input.n}}" }, "orders.too_late", "Sorry, 3"],
    [{ code: "$.job_input.code", message: "$.job_input" }, "rejected", '{"n":3,"code":"rejected"}'],
  ] as const
) {
  Deno.test(`fail: ${JSON.stringify(step)} is '${code}: ${message}'`, async () => {
    const world = at({ type: "fail", ...step }, { n: 3, code: "rejected" });
    await world.claim();
    const { status, error } = world.last;
    assert.deepEqual([status, error?.code, error?.message], ["failed", code, message]);
    assert.equal(error?.retryable, false);
    assert.deepEqual(world.records, ["s:1:1 failed"]);
  });
}

Deno.test("fail: ends the job whatever error handlers there are", async () => {
  const world = at({ type: "fail", when: "true" }, {}, {
    steps: { s: { type: "fail" }, mend: { type: "succeed" } },
    on_error: "mend",
  });
  await world.claim();
  assert.equal(world.last.status, "failed");
});

Deno.test("fail: a code that is none is mapping_failed", async () => {
  const world = at({ type: "fail", code: "$.job_input.code" }, { code: "Nonsense" });
  await world.claim();
  assert.equal(
    failureOf(world),
    "mapping_failed: 'steps.s.code' must be one of the engine's error codes, or an own one with a prefix: prefix.name: current value is \"Nonsense\"",
  );
});

Deno.test("fail: a message that the database cannot keep is an error of the step", async () => {
  const world = at({ type: "fail", message: { $expr: "'a\\u0000b'" } });
  await world.claim();
  assert.equal(world.last.status, "failed");
  assert.match(failureOf(world), /^invalid_result: .* must not hold the character U\+0000/);
});
