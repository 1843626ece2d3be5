import assert from "node:assert/strict";
import { at, claimWith, end, written } from "../steps/support.ts";
import { delivered, iso, T0, type World } from "./world.ts";

const body = { start_step: "in", steps: { in: { transformer_id: "echo" } } };

async function parent(): Promise<World> {
  const world = at({ type: "parallel", branches: { a: body, b: body }, on_error: "mend" });
  await world.claim();
  return world;
}

const cancelled = [0, 1].map((i) => end(i, { code: "cancelled", status: "cancelled" }));

Deno.test("plan() cancels the children first, and ends once the last of them has", async () => {
  const world = await parent();
  const reason = { reason: "enough" };
  const first = written(
    await claimWith(world, [], {
      open: 2,
      messages: [world.message("cancel", { payload: reason })],
    }),
  );
  assert.deepEqual(first.childMessage, {
    job_id: world.job.job_id,
    kind: "cancel",
    reason: "enough",
  });
  assert.deepEqual([first.job.status, first.job.awaits_children], ["waiting", true]);
  assert.equal(first.job.max_failed_children, null);
  // Nothing else is of interest to it, and the children are told once.
  const second = written(
    await claimWith(world, cancelled.slice(1), {
      open: 1,
      messages: [world.message("resume")],
    }),
  );
  assert.deepEqual([second.job.status, second.childMessage], ["waiting", undefined]);
  await claimWith(world, cancelled);
  assert.deepEqual([world.last.status, world.last.error?.message], ["cancelled", "enough"]);
  assert.deepEqual(world.records, ["s:1:1 cancelled"]);
});

Deno.test("plan() waits for the children of a job whose time is up", async () => {
  const world = await parent();
  world.job = { ...world.job, deadline_at: iso(T0 + 30_000) };
  world.now = T0 + 30_000;
  const first = written(await claimWith(world, [], { open: 2 }));
  assert.deepEqual([first.childMessage?.kind, first.job.next_run_at], ["cancel", null]);
  await claimWith(world, cancelled);
  assert.deepEqual([world.last.status, world.last.error?.code], ["failed", "timeout"]);
});

Deno.test("plan() cancels a job that holds its children, without waiting for them in its place", async () => {
  const world = await parent();
  const sent = { input: null, startedAt: T0 };
  const decision = await world.step({
    type: "messages",
    messages: [world.message("cancel")],
    sent,
  });
  assert.deepEqual([decision.effect.type, world.last.status], ["release", "waiting"]);
  assert.equal(written(decision).childMessage?.kind, "cancel");
});

Deno.test("plan() drops a result that comes after a retry, a cancel or a timeout", async () => {
  const world = at({ transformer_id: "echo", retry: { jitter: "none" } });
  const first = delivered(await world.claim());
  await world.result(first, { fail: "timeout" });
  world.now += 5_000;
  const second = delivered(await world.claim());
  const late = await world.result(first, { output: "late" });
  assert.deepEqual([late.effect, late.write], [{ type: "keep" }, null]);
  const message = world.message("step_result", {
    ...first.attempt,
    payload: { status: "completed", output: "late" },
  });
  const sent = { input: null, startedAt: world.now };
  await world.step({ type: "messages", messages: [message], sent });
  assert.equal(world.events.at(-1), "late_result_dropped");
  await world.result(second, { output: "in time" });
  assert.equal(world.last.final_result, "in time");
});
