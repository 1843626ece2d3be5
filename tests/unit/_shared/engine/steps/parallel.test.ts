import assert from "node:assert/strict";
import { delivered, iso, T0, type World } from "../plan/world.ts";
import { at, claimWith, end, entryOf, failureOf, written } from "./support.ts";

const body = { start_step: "in", steps: { in: { transformer_id: "echo" } } };
const branches = { left: body, right: body };

async function started(more: Record<string, unknown> = {}): Promise<World> {
  const world = at({ type: "parallel", branches, next_step: "next", ...more });
  await world.claim();
  return world;
}

Deno.test("parallel: starts a child for each branch and parks until they have ended", async () => {
  const world = at({ type: "parallel", branches, timeout_seconds: 60 });
  const { spawn, job } = written(await world.claim());
  assert.deepEqual(spawn, {
    job_id: world.job.job_id,
    step_id: "s",
    visit: 1,
    max_running: 0,
    lease: false,
    detached: false,
    workflow_id: null,
    workflow_version: null,
    children: [
      { index: 0, branch: "s.left", start_step: "in" },
      { index: 1, branch: "s.right", start_step: "in" },
    ],
  });
  assert.deepEqual([job.status, job.spawned, job.awaits_children], ["waiting", 2, true]);
  assert.deepEqual([job.max_failed_children, job.next_run_at], [0, iso(T0 + 60_000)]);
  assert.deepEqual(world.events, ["children_started"]);
});

for (const results of [[1, 2], [0, ""], [false, null]] as const) {
  Deno.test(`parallel: joins ${JSON.stringify(results)} by the names of the branches`, async () => {
    const world = await started();
    // In whatever order they are told.
    const ends = results.map((result, i) => end(i, { result })).toReversed();
    const decision = await claimWith(world, ends);
    assert.deepEqual(delivered(decision).input, { left: results[0], right: results[1] });
    assert.deepEqual(world.records, ["s:1:1 completed"]);
  });
}

Deno.test("parallel: is not joined before its last child has ended, and exactly once", async () => {
  const world = await started();
  await claimWith(world, [], { open: 1 });
  assert.deepEqual([world.last.status, world.records], ["waiting", []]);
  assert.equal(world.last.awaits_children, true);
  const joined = await claimWith(world, [end(0, { result: 1 }), end(1, { result: 2 })]);
  assert.equal(delivered(joined).attempt.step_id, "next");
  // Its owner is lost; whoever comes next stands at the step after it.
  world.job = { ...world.job, redeliveries: 1 };
  assert.equal(delivered(await world.claim()).attempt.step_id, "next");
  assert.deepEqual(world.records, ["s:1:1 completed"]);
});

Deno.test("parallel: a branch that fails has the others cancelled, and then fails the step", async () => {
  const world = await started({ on_error: "mend" });
  const failed = end(0, { code: "http_4xx" });
  const first = written(await claimWith(world, [failed], { open: 1 }));
  const why = "1 of the children of step 's' failed: branch 'left' failed with http_4xx: as told";
  assert.deepEqual(first.childMessage, {
    job_id: world.job.job_id,
    kind: "cancel",
    reason: why,
  });
  assert.deepEqual([first.job.status, first.job.max_failed_children], ["waiting", null]);
  // Woken for something else, it goes on waiting for them, and tells them nothing twice.
  const second = written(await claimWith(world, [failed], { open: 1 }));
  assert.equal(second.childMessage, undefined);
  const cancelled = end(1, { code: "cancelled", status: "cancelled" });
  const decision = await claimWith(world, [failed, cancelled]);
  assert.equal(delivered(decision).attempt.step_id, "mend");
  assert.equal(failureOf(world), `children_failed: ${why}`);
  assert.deepEqual(world.records, ["s:1:1 failed"]);
});

Deno.test("parallel: a child that was deleted by hand is one that failed", async () => {
  const world = await started();
  await claimWith(world, [end(1, { result: 2 })]);
  assert.equal(failureOf(world), "children_failed: 1 of the children of step 's' failed");
});

Deno.test("parallel: its time limit ends the children, and the step with `timeout`", async () => {
  const world = await started({ timeout_seconds: 60 });
  world.now = T0 + 60_000;
  const told = written(await claimWith(world, [], { open: 2 }));
  assert.equal(told.childMessage?.kind, "cancel");
  await claimWith(world, [0, 1].map((i) => end(i, { code: "cancelled", status: "cancelled" })));
  assert.equal(failureOf(world), "timeout: The children of step 's' took too long");
  assert.equal(world.last.status, "failed");
});

Deno.test("parallel: children that have all ended in time are joined, however late it is looked", async () => {
  const world = await started({ timeout_seconds: 60 });
  world.now = T0 + 99_000;
  await claimWith(world, [end(0, { result: 1 }), end(1, { result: 2 })]);
  assert.deepEqual(entryOf(world).output, { left: 1, right: 2 });
});

Deno.test("parallel: is nested at most ten deep", async () => {
  const world = at({ type: "parallel", branches });
  world.job = { ...world.job, depth: 10 };
  await world.claim();
  assert.equal(
    failureOf(world),
    "config_invalid: Cannot start the children of step 's' as jobs must be nested at most 10 deep",
  );
});

Deno.test("parallel: results that are too large to collect are an error", async () => {
  const world = await started();
  await claimWith(world, null);
  assert.equal(
    failureOf(world),
    "payload_too_large: The results of the children of step 's' are too large to collect",
  );
});

Deno.test("parallel: held while its children run, it goes on with what they came to", async () => {
  const world = await started();
  const decision = await world.step({
    type: "children",
    ends: [end(0, { result: 1 }), end(1, { result: 2 })],
  });
  assert.deepEqual(delivered(decision).input, { left: 1, right: 2 });
  assert.equal(written(decision).job.joined_failures, 0, "ahead of the database");
});

Deno.test("parallel: held while its children run, it tells with how many failures it goes on", async () => {
  const world = await started();
  const failed = [end(0, { code: "timeout" }), end(1, { code: "cancelled", status: "cancelled" })];
  const { job } = written(await world.step({ type: "children", ends: failed }));
  assert.deepEqual([job.status, job.joined_failures], ["failed", 2]);
});

Deno.test("parallel: what the database has told of its children needs no second look", async () => {
  const world = await started();
  assert.equal(world.last.joined_failures, null);
  const ends = [end(0, { result: 1 }), end(1, { result: 2 })];
  assert.equal(written(await claimWith(world, ends)).job.joined_failures, null);
});

Deno.test("parallel: held while its children run, it parks once one of them runs elsewhere", async () => {
  const world = await started();
  await world.step({ type: "scattered" });
  assert.deepEqual([world.last.status, world.last.awaits_children], ["waiting", true]);
});
