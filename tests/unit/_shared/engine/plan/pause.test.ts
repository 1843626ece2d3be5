import assert from "node:assert/strict";
import { at, claimWith, end, written } from "../steps/support.ts";
import { delivered, iso, T0, type World } from "./world.ts";

const body = { start_step: "in", steps: { in: { transformer_id: "echo" } } };
const callback = { transformer_id: "echo", callback: true, next_step: "next" };
const about = { step_id: "s", visit: 1 };

/** Each kind of wait: how a job comes to it, and what ends it. */
const WAITS: readonly (readonly [string, Record<string, unknown>, (world: World) => unknown])[] = [
  ["timer", { type: "wait", seconds: 60, next_step: "next" }, (world) => world.now += 60_000],
  [
    "event",
    { type: "wait_for_event", event: "e", next_step: "next" },
    (world) =>
      world.message("event", { ...about, payload: { event_id: 9, position: 1, payload: 5 } }),
  ],
  [
    "approval",
    { type: "approval", next_step: "next" },
    (world) =>
      world.message("decision", { ...about, attempt: 1, payload: { decision: "approved" } }),
  ],
  ["callback", callback, (world) =>
    world.message("step_result", {
      ...about,
      attempt: 1,
      payload: { status: "completed", output: 1 },
    })],
];

async function waiting(step: Record<string, unknown>): Promise<World> {
  const world = at(step);
  const decision = await world.claim();
  if (decision.effect.type === "dispatch") {
    await world.result(decision.effect.delivery, "accepted");
  }
  assert.equal(world.last.status, "waiting");
  return world;
}

for (const [kind, step, over] of WAITS) {
  Deno.test(`plan() pauses a job that waits for its ${kind}, and goes on waiting after`, async () => {
    const world = await waiting(step);
    const { next_run_at } = world.last;
    await world.claim([world.message("pause")]);
    assert.deepEqual([world.last.status, world.last.next_run_at], ["paused", null]);
    await world.claim([world.message("resume")]);
    assert.deepEqual([world.last.status, world.last.next_run_at], ["waiting", next_run_at]);
    assert.deepEqual(world.events.slice(-2), ["pause_requested", "resumed"]);
  });

  Deno.test(`plan() takes what a paused job's ${kind} brings, and begins nothing new`, async () => {
    const world = await waiting(step);
    await world.claim([world.message("pause")]);
    const news = over(world);
    await world.claim(typeof news === "object" ? [news as never] : []);
    assert.deepEqual([world.last.status, world.last.current_step_id], ["paused", "next"]);
    assert.deepEqual(world.records, ["s:1:1 completed"]);
    const decision = await world.claim([world.message("resume")]);
    assert.equal(delivered(decision).attempt.step_id, "next");
  });
}

Deno.test("plan() lets the task of a paused job end, and then stops", async () => {
  const world = at({ transformer_id: "echo", next_step: "next" });
  const delivery = delivered(await world.claim());
  const sent = { input: delivery.input, startedAt: T0 };
  const kept = await world.step({ type: "messages", messages: [world.message("pause")], sent });
  assert.deepEqual([kept.effect.type, world.last.status], ["keep", "running"]);
  await world.result(delivery, { output: 1 });
  assert.deepEqual([world.last.status, world.last.current_step_id], ["paused", "next"]);
});

Deno.test("plan() does not start a job that was paused before it began", async () => {
  const world = at({ transformer_id: "echo" });
  assert.equal((await world.claim([world.message("pause")])).effect.type, "release");
  assert.equal(world.last.status, "paused");
  assert.equal((await world.claim([world.message("resume")])).effect.type, "dispatch");
});

Deno.test("plan() takes the last of pause and resume", async () => {
  const world = at({ transformer_id: "echo" });
  const decision = await world.claim([world.message("pause"), world.message("resume")]);
  assert.equal(decision.effect.type, "dispatch");
});

Deno.test("plan() pauses the children with their parent, and has them go on with it", async () => {
  const world = at({ type: "parallel", branches: { a: body, b: body } });
  await world.claim();
  const paused = written(
    await claimWith(world, [], {
      open: 2,
      messages: [world.message("pause")],
    }),
  );
  assert.deepEqual([paused.childMessage?.kind, paused.job.status], ["pause", "paused"]);
  const resumed = written(
    await claimWith(world, [], {
      open: 1,
      messages: [world.message("resume")],
    }),
  );
  assert.deepEqual([resumed.childMessage?.kind, resumed.job.status], ["resume", "waiting"]);
  assert.equal(resumed.job.awaits_children, true);
});

Deno.test("plan() joins the children that have ended while their parent was paused", async () => {
  const world = at({ type: "parallel", branches: { a: body }, next_step: "next" });
  await world.claim();
  await claimWith(world, [], { open: 1, messages: [world.message("pause")] });
  const ends = [end(0, { result: 1 })];
  const decision = await claimWith(world, ends, { messages: [world.message("resume")] });
  assert.deepEqual(delivered(decision).input, { a: 1 });
});

Deno.test("plan() cancels a job that is paused", async () => {
  const world = await waiting({ type: "wait", seconds: 60 });
  await world.claim([world.message("pause")]);
  await world.claim([world.message("cancel")]);
  assert.equal(world.last.status, "cancelled");
  assert.deepEqual(world.last.state.paused, undefined);
});

Deno.test("plan() retries what failed while the job was paused not before its time", async () => {
  const world = at({ transformer_id: "echo", retry: { jitter: "none", base_delay_seconds: 60 } });
  const delivery = delivered(await world.claim());
  const sent = { input: delivery.input, startedAt: T0 };
  await world.step({ type: "messages", messages: [world.message("pause")], sent });
  await world.result(delivery, { fail: "timeout" });
  assert.deepEqual([world.last.status, world.last.next_run_at], ["paused", null]);
  await resumedAndRetried(world);
});

Deno.test("plan() keeps the wait for a retry though the job is paused in it", async () => {
  const world = at({ transformer_id: "echo", retry: { jitter: "none", base_delay_seconds: 60 } });
  await world.result(delivered(await world.claim()), { fail: "timeout" });
  const { error } = world.last;
  assert.ok(error);
  world.now = T0 + 1_000;
  world.job = { ...world.job, retry: { at: iso(T0 + 60_000), error } };
  await world.claim([world.message("pause")]);
  assert.deepEqual([world.last.status, world.last.next_run_at], ["paused", null]);
  world.job = { ...world.job, retry: null };
  await resumedAndRetried(world);
});

/** Resumes a job whose retry is to be made 60 s after T0. */
async function resumedAndRetried(world: World): Promise<void> {
  world.now = T0 + 2_000;
  await world.claim([world.message("resume")]);
  assert.deepEqual([world.last.status, world.last.next_run_at], ["pending", iso(T0 + 60_000)]);
  world.now = T0 + 60_000;
  assert.equal(delivered(await world.claim()).attempt.attempt, 2);
}

Deno.test("plan() hears of a pause that comes with the result of a callback", async () => {
  const world = await waiting(callback);
  const payload = { status: "completed", output: 1 };
  const messages = [
    world.message("step_result", { ...about, attempt: 1, payload }),
    world.message("pause"),
  ];
  await world.claim(messages);
  assert.deepEqual([world.last.status, world.last.current_step_id], ["paused", "next"]);
});

for (const order of [["pause", "step_result"], ["step_result", "pause"]] as const) {
  Deno.test(`plan() hears of ${order.join(" and ")} while the task is out`, async () => {
    const world = at(callback);
    const sent = { input: delivered(await world.claim()).input, startedAt: T0 };
    const payload = { status: "completed", output: 1 };
    const messages = order.map((kind) => world.message(kind, { ...about, attempt: 1, payload }));
    await world.step({ type: "messages", messages, sent });
    assert.deepEqual([world.last.status, world.last.current_step_id], ["paused", "next"]);
    assert.deepEqual(world.records, ["s:1:1 completed"]);
    assert.equal(world.events.at(-1), "pause_requested");
    const decision = await world.claim([world.message("resume")]);
    assert.equal(delivered(decision).attempt.step_id, "next");
  });
}

Deno.test("plan() ends a job that is resumed after its time", async () => {
  const world = await waiting({ type: "wait", seconds: 60 });
  world.job = { ...world.job, deadline_at: iso(T0 + 30_000) };
  await world.claim([world.message("pause")]);
  assert.equal(world.last.next_run_at, null);
  world.now = T0 + 40_000;
  await world.claim([world.message("resume")]);
  assert.equal(world.last.error?.code, "timeout");
});

for (const validate of [{ type: "function", transformer_id: "echo" }, { type: "manual" }]) {
  Deno.test(`plan() has the output of a paused job's task checked (${validate.type}) once somebody resumes it`, async () => {
    const world = at({ transformer_id: "echo", validate });
    const delivery = delivered(await world.claim());
    const sent = { input: delivery.input, startedAt: T0 };
    await world.step({ type: "messages", messages: [world.message("pause")], sent });
    await world.result(delivery, { output: 7 });
    assert.deepEqual([world.last.status, world.records], ["paused", []]);
    const decision = await world.claim([world.message("resume")]);
    if (validate.type === "function") {
      assert.deepEqual([delivered(decision).attempt.check, delivered(decision).input], [true, 7]);
    } else assert.deepEqual(written(decision).approval?.details, { output: 7 });
  });
}

Deno.test("plan() does not begin a job before its run_at, whatever message wakes it", async () => {
  const world = at({ transformer_id: "echo" });
  world.job = { ...world.job, run_at: iso(T0 + 60_000) };
  await world.claim([world.message("pause")]);
  assert.equal(world.last.status, "paused");
  await world.claim([world.message("resume")]);
  assert.deepEqual([world.last.status, world.last.next_run_at], ["pending", iso(T0 + 60_000)]);
  world.now = T0 + 60_000;
  assert.equal((await world.claim()).effect.type, "dispatch");
});

Deno.test("plan() keeps why somebody pauses a job", async () => {
  const world = await waiting({ type: "wait", seconds: 60 });
  await world.claim([world.message("pause", { payload: { reason: "stocktaking" } })]);
  const [event] = world.row.writes.at(-1)?.events ?? [];
  assert.deepEqual([event?.type, event?.data], ["pause_requested", { reason: "stocktaking" }]);
});
