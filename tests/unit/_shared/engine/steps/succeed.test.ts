import assert from "node:assert/strict";
import { World } from "../plan/world.ts";
import { at } from "./support.ts";

Deno.test("succeed: ends the job with its output, whatever output_map says", async () => {
  const world = at({ type: "succeed", output: "$.job_input.n" }, { n: 0 }, { output_map: "no" });
  await world.claim();
  assert.deepEqual([world.last.status, world.last.final_result], ["completed", 0]);
  assert.deepEqual(world.records, ["s:1:1 completed"]);
});

for (const [output_map, result] of [[undefined, 5], [{ a: "$.first.output" }, { a: 5 }]]) {
  Deno.test(`succeed: without output the result is as after any last step (${output_map ? "" : "no "}output_map)`, async () => {
    const world = new World({
      start_step: "first",
      steps: {
        first: { type: "transform", output: 5, next_step: "s" },
        s: { type: "succeed" },
      },
      ...(output_map === undefined ? {} : { output_map }),
    });
    await world.claim();
    assert.deepEqual(world.last.final_result, result);
  });
}

Deno.test("succeed: an output that cannot be made goes to the workflow's handler", async () => {
  const world = new World({
    start_step: "s",
    steps: {
      s: { type: "succeed", output: "$.job_input.x" },
      mend: { type: "succeed", output: "mended" },
    },
    on_error: "mend",
  });
  await world.claim();
  assert.equal(world.last.final_result, "mended");
  assert.deepEqual(world.records, ["s:1:1 failed", "mend:1:1 completed"]);
});
