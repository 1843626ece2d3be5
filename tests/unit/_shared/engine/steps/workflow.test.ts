import assert from "node:assert/strict";
import { delivered, iso, T0 } from "../plan/world.ts";
import { at, claimWith, end, entryOf, failureOf, written } from "./support.ts";

const step = { type: "workflow", workflow_id: "sub", next_step: "next" };

Deno.test("workflow: starts one job of another workflow with what flows in", async () => {
  const { spawn, job } = written(await at({ ...step, version: 2 }, { n: 1 }).claim());
  assert.deepEqual([spawn?.workflow_id, spawn?.workflow_version], ["sub", 2]);
  assert.deepEqual(spawn?.children, [{ index: 0, input: { n: 1 } }]);
  assert.deepEqual([job.status, job.awaits_children], ["waiting", true]);
});

Deno.test("workflow: without a version it runs the one that is current", async () => {
  const { spawn } = written(await at({ ...step, input_map: "$.job_input.n" }, { n: 0 }).claim());
  assert.equal(spawn?.workflow_version, null);
  assert.deepEqual(spawn?.children, [{ index: 0, input: 0 }]);
});

for (const result of [0, false, "", null, { a: 1 }]) {
  Deno.test(`workflow: its output is the result ${JSON.stringify(result)} of that job`, async () => {
    const world = at(step);
    await world.claim();
    assert.deepEqual(delivered(await claimWith(world, [end(0, { result })])).input, result);
  });
}

for (
  const [child, why] of [
    [end(0, { code: "http_4xx" }), "workflow 'sub' failed with http_4xx: as told"],
    [
      end(0, { code: "cancelled", status: "cancelled" }),
      "workflow 'sub' was cancelled with cancelled: as told",
    ],
  ] as const
) {
  Deno.test(`workflow: that ${child.status} fails the step`, async () => {
    const world = at(step);
    await world.claim();
    await claimWith(world, [child]);
    assert.equal(
      failureOf(world),
      `children_failed: 1 of the children of step 's' failed: ${why}`,
    );
    assert.equal(world.last.status, "failed");
  });
}

Deno.test("workflow: detached, it is started, and the job goes on once that is durable", async () => {
  const world = at({ ...step, detached: true }, { n: 1 });
  const first = written(await world.claim());
  const { newId } = world.context;
  assert.deepEqual(first.spawn?.children, [{ index: 0, id: newId, input: { n: 1 } }]);
  assert.deepEqual([first.spawn?.detached, first.job.spawned], [true, null]);
  assert.deepEqual([first.job.status, first.job.next_run_at], ["waiting", iso(T0)]);
  assert.deepEqual(delivered(await world.claim()).input, { job_id: newId });
  assert.deepEqual(world.records, ["s:1:1 completed"]);
});

for (const detached of [true, false]) {
  Deno.test(`workflow: that is not there any more fails the step (detached: ${detached})`, async () => {
    const world = at({ ...step, detached, on_error: "mend" });
    await world.claim();
    const about = { step_id: "s", visit: 1, payload: { message: "there is no 'sub'" } };
    world.job = { ...world.job, open_children: 0 };
    const decision = await world.claim([world.message("spawn_refused", about)]);
    assert.equal(delivered(decision).attempt.step_id, "mend");
    assert.equal(failureOf(world), "config_invalid: there is no 'sub'");
    assert.equal(entryOf(world).status, "failed");
  });
}

Deno.test("workflow: a refusal of another visit is dropped", async () => {
  const world = at(step);
  await world.claim();
  const about = { step_id: "s", visit: 2, payload: { message: "there is no 'sub'" } };
  await world.claim([world.message("spawn_refused", about)]);
  assert.equal(world.last.status, "waiting");
  assert.equal(world.events.at(-1), "late_result_dropped");
});

Deno.test("workflow: after a refusal a retry starts it anew", async () => {
  const world = at({ type: "workflow", workflow_id: "sub" });
  await world.claim();
  world.job = { ...world.job, open_children: 0 };
  const about = { step_id: "s", visit: 1, payload: { message: "there is no 'sub'" } };
  await world.claim([world.message("spawn_refused", about)]);
  assert.equal(world.last.status, "failed");
  const { spawn, reopening } = written(await world.claim([world.message("retry")]));
  assert.deepEqual([spawn?.visit, reopening], [2, undefined]);
});
