import assert from "node:assert/strict";
import { delivered } from "../plan/world.ts";
import { at, failureOf, written } from "./support.ts";

Deno.test("transform: computes on the spot, in the same write as what follows", async () => {
  const world = at(
    { type: "transform", output: { $expr: "job_input.n * 2" }, next_step: "next" },
    { n: 4 },
  );
  const decision = await world.claim();
  assert.equal(delivered(decision).input, 8);
  assert.deepEqual(written(decision).steps.map(({ step_id, output }) => [step_id, output]), [
    ["s", 8],
  ]);
});

for (const output of [0, false, "", null, [], {}]) {
  Deno.test(`transform: ${JSON.stringify(output)} comes out as it went in`, async () => {
    const world = at({ type: "transform", output });
    await world.claim();
    assert.deepEqual([world.last.status, world.last.final_result], ["completed", output]);
  });
}

for (
  const [output, failure] of [
    ["$.job_input.x", /^mapping_failed: /],
    [{ $expr: "$error('no')" }, /^expression_failed: /],
  ] as const
) {
  Deno.test(`transform: ${JSON.stringify(output)} fails the step`, async () => {
    const world = at({ type: "transform", output });
    await world.claim();
    assert.match(failureOf(world), failure);
  });
}

Deno.test("transform: refuses what is too large, which its handler may mend", async () => {
  const world = at({ type: "transform", output: "$.job_input.text", on_error: "mend" }, {
    text: "x".repeat(200),
  });
  world.maxPayloadBytes = 100;
  assert.equal(delivered(await world.claim()).attempt.step_id, "mend");
  assert.equal(
    failureOf(world),
    "payload_too_large: What step 's' gives must be <= 100 bytes of JSON: current size is 202",
  );
});
