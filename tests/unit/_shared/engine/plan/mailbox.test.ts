import assert from "node:assert/strict";
import { delivered, iso, T0, task, World } from "./world.ts";

const definition = {
  start_step: "a",
  steps: { a: task({ callback: true, timeout_seconds: 100, next_step: "b" }), b: task() },
};
const attempt = { step_id: "a", visit: 1, attempt: 1 };

async function waiting(): Promise<World> {
  const world = new World(definition, { input_data: { n: 1 } });
  await world.result(delivered(await world.claim()), "accepted");
  return world;
}

Deno.test("plan() parks a job whose executor will answer later", async () => {
  const world = await waiting();
  assert.equal(world.last.status, "waiting");
  assert.equal(world.last.next_run_at, iso(T0 + 100_000));
  assert.deepEqual(world.events, ["callback_awaited"]);
  assert.deepEqual(world.last.state.waiting, {
    kind: "callback",
    since: iso(T0),
    until: iso(T0 + 100_000),
  });
});

Deno.test("plan() goes on with the output that a callback brings", async () => {
  const world = await waiting();
  world.now += 5_000;
  const payload = { status: "completed", output: { done: true } };
  const message = world.message("step_result", { ...attempt, payload });
  const decision = await world.claim([message]);
  assert.deepEqual(delivered(decision).attempt, { step_id: "b", visit: 1, attempt: 1 });
  assert.deepEqual(delivered(decision).input, { done: true });
  assert.deepEqual(decision.write?.consumed, [message.id]);
  assert.deepEqual(decision.write?.steps[0]?.input, { n: 1 });
  assert.equal(decision.write?.steps[0]?.started_at, iso(T0));
  assert.equal(decision.write?.job.state.waiting, undefined);
});

Deno.test("plan() retries when a callback brings an error", async () => {
  const world = await waiting();
  const payload = { status: "failed", error: { code: "network", message: "no" } };
  await world.claim([world.message("step_result", { ...attempt, payload })]);
  assert.equal(world.last.status, "awaiting_retry");
  assert.equal(world.last.state.waiting, undefined);
});

Deno.test("plan() refuses an error that is none", async () => {
  const world = await waiting();
  const payload = { status: "failed", error: "broken" };
  await world.claim([world.message("step_result", { ...attempt, payload })]);
  assert.equal(world.row.writes.at(-1)?.steps[0]?.error?.code, "invalid_result");
});

Deno.test("plan() fails the attempt when no callback comes in time", async () => {
  const world = await waiting();
  world.now = T0 + 100_000;
  await world.claim();
  assert.equal(world.row.writes.at(-1)?.steps[0]?.error?.code, "timeout");
  assert.equal(world.last.status, "awaiting_retry");
});

Deno.test("plan() goes on waiting when it is woken for nothing", async () => {
  const world = await waiting();
  world.now += 1_000;
  await world.claim();
  assert.equal(world.last.status, "waiting");
  assert.equal(world.last.next_run_at, iso(T0 + 100_000));
});

Deno.test("plan() takes the first of two callbacks", async () => {
  const world = await waiting();
  const messages = [1, 2].map((output) =>
    world.message("step_result", { ...attempt, payload: { status: "completed", output } })
  );
  const decision = await world.claim(messages);
  assert.equal(delivered(decision).input, 1);
  assert.deepEqual(world.events, ["callback_awaited", "late_result_dropped"]);
  assert.deepEqual(decision.write?.consumed, messages.map((message) => message.id));
});

Deno.test("plan() drops a callback for an attempt that is over", async () => {
  const world = await waiting();
  const payload = { status: "completed", output: 1 };
  await world.claim([world.message("step_result", { ...attempt, attempt: 9, payload })]);
  assert.equal(world.last.status, "waiting");
  assert.deepEqual(world.events, ["callback_awaited", "late_result_dropped"]);
});

Deno.test("plan() takes a callback that comes before the executor's answer", async () => {
  const world = new World(definition);
  const delivery = delivered(await world.claim());
  const sent = { input: delivery.input, startedAt: T0 };
  const payload = { status: "completed", output: 1 };
  const messages = [world.message("step_result", { ...attempt, payload })];
  const decision = await world.step({ type: "messages", messages, sent });
  assert.deepEqual(delivered(decision).attempt.step_id, "b");
  const late = await world.result(delivery, "accepted");
  assert.deepEqual(late.effect, { type: "keep" });
});

Deno.test("plan() refuses to wait for a step without callback", async () => {
  const world = new World({ start_step: "a", steps: { a: task() } });
  await world.result(delivered(await world.claim()), "accepted");
  assert.equal(world.last.status, "failed");
  assert.equal(world.last.error?.code, "invalid_result");
});

Deno.test("plan() cancels a job that has not begun", async () => {
  const world = new World(definition);
  await world.claim([world.message("cancel", { payload: { reason: "not needed" } })]);
  assert.equal(world.row.status, "cancelled");
  assert.deepEqual(world.last.error, {
    code: "cancelled",
    message: "not needed",
    retryable: false,
  });
  assert.deepEqual(world.records, []);
});

Deno.test("plan() cancels a job whose task is out, and records the attempt", async () => {
  const world = new World(definition);
  const delivery = delivered(await world.claim());
  world.now += 500;
  const decision = await world.step({
    type: "messages",
    messages: [world.message("cancel")],
    sent: { input: delivery.input, startedAt: T0 },
  });
  assert.equal(decision.effect.type, "release");
  assert.equal(world.last.status, "cancelled");
  assert.equal(world.last.error?.message, "Cancelled on request");
  assert.deepEqual(world.records, ["a:1:1 cancelled"]);
  assert.deepEqual(world.events, ["cancel_requested"]);
});

Deno.test("plan() cancels a job that waits for a callback, whatever has come with it", async () => {
  const world = await waiting();
  await world.claim([
    world.message("step_result", { ...attempt, payload: { status: "completed", output: 1 } }),
    world.message("cancel", { payload: { reason: 5 } }),
  ]);
  assert.equal(world.row.status, "cancelled");
  assert.deepEqual(world.records, ["a:1:1 cancelled"]);
});

Deno.test("plan() lets the task go on when a message says nothing of it", async () => {
  const world = new World(definition);
  const delivery = delivered(await world.claim());
  const decision = await world.step({
    type: "messages",
    messages: [world.message("step_result", { step_id: "b", visit: 1, attempt: 1 })],
    sent: { input: delivery.input, startedAt: T0 },
  });
  assert.equal(decision.effect.type, "keep");
  assert.equal(decision.write?.job.status, "running");
  assert.equal(decision.write?.consumed.length, 1);
});

Deno.test("plan() records a cancelled attempt whose transformer is gone by now", async () => {
  const world = await waiting();
  world.transformers.clear();
  await world.claim([world.message("cancel")]);
  assert.equal(world.row.status, "cancelled");
  assert.equal(world.row.writes.at(-1)?.steps[0]?.input, null);
});

for (
  const [what, output, code] of [
    ["is too large", "x".repeat(2_000), "payload_too_large"],
    ["the database cannot keep", "\u0000", "invalid_result"],
  ] as const
) {
  for (const where of ["parked", "held"] as const) {
    Deno.test(`plan() fails the attempt whose callback brings what ${what} (${where})`, async () => {
      const world = new World(definition);
      world.maxPayloadBytes = 1_500;
      const delivery = delivered(await world.claim());
      if (where === "parked") await world.result(delivery, "accepted");
      const payload = { status: "completed", output };
      const messages = [world.message("step_result", { ...attempt, payload })];
      const sent = { input: delivery.input, startedAt: T0 };
      await world.step(
        where === "parked" ? { type: "claimed", messages } : { type: "messages", messages, sent },
      );
      const [record] = world.row.writes.at(-1)?.steps ?? [];
      assert.deepEqual([record?.error?.code, record?.output], [code, null]);
      assert.equal(world.last.state.waiting, undefined);
      assert.notEqual(world.last.status, "running");
    });
  }
}
