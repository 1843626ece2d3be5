import assert from "node:assert/strict";
import type { Message } from "../../../../../supabase/functions/_shared/contracts/turn.ts";
import { at, claimWith, end, entryOf, written } from "../steps/support.ts";
import { delivered, iso, T0, task, World } from "./world.ts";

const body = { start_step: "in", steps: { in: { transformer_id: "echo" } } };
const chain = {
  start_step: "a",
  steps: {
    a: task({ next_step: "b" }),
    b: task({ next_step: "c", retry: { max_retries: 0 } }),
    c: task(),
  },
};

/** A job that failed at `b`. */
async function failed(): Promise<World> {
  const world = new World(chain, { input_data: { n: 1 } });
  const row = await world.run(({ attempt }) =>
    attempt.step_id === "b" ? { fail: "timeout" } : { output: `from ${attempt.step_id}` }
  );
  assert.equal(row.status, "failed");
  return world;
}

/** As the database opens a job again. */
function retry(world: World, payload: Record<string, unknown> = {}) {
  world.job = { ...world.job, retry_count: 0, redeliveries: 0 };
  return world.message("retry", { payload });
}

Deno.test("plan() runs a job once more from its failed step, on what the earlier ones gave", async () => {
  const world = await failed();
  const decision = await world.claim([retry(world)]);
  assert.deepEqual(delivered(decision).attempt, { step_id: "b", visit: 2, attempt: 1 });
  assert.equal(delivered(decision).input, "from a");
  assert.equal(world.events.at(-1), "retried");
  await world.result(delivered(decision), { output: "mended" });
  assert.deepEqual(world.records, ["a:1:1 completed", "b:1:1 failed", "b:2:1 completed"]);
  assert.deepEqual(entryOf(world, "b").output, "mended");
});

Deno.test("plan() runs a job once more from a named step", async () => {
  const world = await failed();
  const decision = await world.claim([retry(world, { from_step: "a" })]);
  assert.deepEqual(delivered(decision).attempt, { step_id: "a", visit: 2, attempt: 1 });
  // With its input, which may be another by now.
  assert.deepEqual(delivered(decision).input, { n: 1 });
});

Deno.test("plan() hands a named step what led to it, through what hands nothing on", async () => {
  const world = new World({
    start_step: "a",
    steps: {
      a: task({ next_step: "pick" }),
      pick: { type: "choice", choices: [{ when: "false", next_step: "c" }], default: "rest" },
      rest: { type: "wait", seconds: 0, next_step: "skipped" },
      skipped: task({ when: "false", next_step: "b" }),
      b: task({ next_step: "c" }),
      c: task({ retry: { max_retries: 0 } }),
    },
  });
  await world.run(({ attempt }) =>
    attempt.step_id === "c" ? { fail: "timeout" } : { output: `from ${attempt.step_id}` }
  );
  const decision = await world.claim([retry(world, { from_step: "b" })]);
  assert.equal(delivered(decision).input, "from a");
});

Deno.test("plan() gives a run once more its whole budget, and the workflow's handler anew", async () => {
  const world = new World({
    start_step: "a",
    steps: {
      a: task({ next_step: "b" }),
      b: task({ retry: { max_retries: 0 } }),
      mend: task({ retry: { max_retries: 0 } }),
    },
    on_error: "mend",
    max_step_visits: 3,
  });
  const script = (delivery: { attempt: { step_id: string } }) =>
    delivery.attempt.step_id === "a" ? { output: 1 } : { fail: "timeout" };
  await world.run(script);
  const decision = await world.claim([retry(world, { from_step: "a" })]);
  assert.equal(decision.job.state.steps_visited, 1);
  assert.equal(decision.job.state.handling_error, false);
});

Deno.test("plan() never records an attempt under the name of one that was cancelled", async () => {
  const world = new World(chain);
  await world.result(delivered(await world.claim()), { output: 1 });
  const sent = { input: 1, startedAt: T0 };
  await world.step({ type: "messages", messages: [world.message("cancel")], sent });
  assert.equal(world.records.at(-1), "b:1:1 cancelled");
  const again = delivered(await world.claim([retry(world, { from_step: "a" })]));
  const second = delivered(await world.result(again, { output: 2 }));
  assert.deepEqual(second.attempt, { step_id: "b", visit: 2, attempt: 1 });
});

Deno.test("plan() checks edited input before it runs a job once more", async () => {
  const world = at({ transformer_id: "echo", retry: { max_retries: 0 } }, { n: 1 }, {
    input_schema: { type: "object", required: ["n"] },
  });
  await world.run(() => ({ fail: "timeout" }));
  world.job = { ...world.job, input_data: {} };
  await world.claim([retry(world)]);
  assert.deepEqual([world.last.status, world.last.error?.code], ["failed", "input_invalid"]);
});

async function failedMap(): Promise<World> {
  const world = at(
    { type: "map", items: [1, 2], transformer_id: "echo", timeout_seconds: 60, next_step: "next" },
  );
  await world.claim();
  await claimWith(world, [end(0, { result: 1 }), end(1, { code: "timeout" })]);
  assert.equal(world.last.status, "failed");
  return world;
}

Deno.test("plan() runs those children once more that failed, with the time that they had", async () => {
  const world = await failedMap();
  world.now = T0 + 500_000;
  const { reopening, spawn, job } = written(await world.claim([retry(world)]));
  assert.deepEqual(reopening, { job_id: world.job.job_id, step_id: "s", visit: 1 });
  assert.deepEqual([spawn, job.status, job.awaits_children], [undefined, "waiting", true]);
  assert.equal(job.next_run_at, iso(T0 + 560_000));
  assert.equal(job.max_failed_children, 0);
  const decision = await claimWith(world, [end(0, { result: 1 }), end(1, { result: 2 })]);
  assert.deepEqual(delivered(decision).input, [1, 2]);
  assert.deepEqual(world.records, ["s:1:1 failed", "s:1:2 completed"]);
});

Deno.test("plan() starts all children anew where that is asked for", async () => {
  const world = await failedMap();
  const message = retry(world, { failed_items_only: false });
  const { reopening, spawn } = written(await world.claim([message]));
  assert.deepEqual([reopening, spawn?.visit, spawn?.children.length], [undefined, 2, 2]);
});

Deno.test("plan() runs the children of a cancelled job once more", async () => {
  const world = at({ type: "parallel", branches: { a: body } });
  await world.claim();
  await claimWith(world, [], { open: 1, messages: [world.message("cancel")] });
  await claimWith(world, [end(0, { code: "cancelled", status: "cancelled" })]);
  assert.equal(world.last.status, "cancelled");
  const { reopening } = written(await world.claim([retry(world)]));
  assert.equal(reopening?.visit, 1);
  await claimWith(world, [end(0, { result: 1 })]);
  assert.deepEqual(world.records, ["s:1:1 cancelled", "s:1:2 completed"]);
});

for (const make of [failed, failedMap]) {
  Deno.test(`plan() hears of a cancel that comes right after a retry (${make.name})`, async () => {
    const world = await make();
    const { length } = world.records;
    const { reopening } = written(await world.claim([retry(world), world.message("cancel")]));
    assert.deepEqual([world.last.status, reopening], ["cancelled", undefined]);
    // What was out has been recorded when the job ended.
    assert.equal(world.records.length, length);
  });

  Deno.test(`plan() begins a run once more that is paused once somebody resumes it (${make.name})`, async () => {
    const world = await make();
    const { job, spawn, reopening, childMessage } = written(
      await world.claim([retry(world), world.message("pause")]),
    );
    assert.equal(job.status, "paused");
    assert.ok(world.events.includes("pause_requested"));
    assert.deepEqual([spawn, reopening, childMessage], [undefined, undefined, undefined]);
    const resumed = await world.claim([world.message("resume")]);
    assert.equal(world.last.state.rerun, undefined);
    if (make === failed) assert.equal(delivered(resumed).attempt.visit, 2);
    else assert.equal(written(resumed).reopening?.visit, 1);
  });
}

/** A job that failed while it was to start within a rate, and is to run once more. */
async function asking(message: (world: World) => Message[] = () => []): Promise<World> {
  const step = { transformer_id: "echo", callback: true, retry: { max_retries: 0 } };
  const world = at(step, {}, { rate_limit: { max_starts: 1, per_seconds: 60 } });
  await world.claim();
  await world.result(delivered(await world.step({ type: "admitted" })), { fail: "timeout" });
  assert.equal((await world.claim([retry(world), ...message(world)])).effect.type, "admit");
  assert.deepEqual(world.last.state.rerun, { from_step: null, failed_items_only: true });
  return world;
}

function callbackOf(world: World): Message {
  const payload = { status: "completed", output: "late" };
  return world.message("step_result", { step_id: "s", visit: 1, attempt: 1, payload });
}

Deno.test("plan() asks anew for slots and a start before a run once more begins", async () => {
  const world = await asking();
  // It was given a start that is to come, and waits for that.
  const not_before = iso(T0 + 60_000);
  world.job = { ...world.job, state: { ...world.job.state, not_before } };
  await world.claim();
  assert.deepEqual([world.last.status, world.last.next_run_at], ["pending", not_before]);
  world.now = T0 + 60_000;
  assert.equal(delivered(await world.claim()).attempt.visit, 2);
  assert.deepEqual(world.records, ["s:1:1 failed"]);
});

Deno.test("plan() drops what a callback brings for the attempt before a run once more", async () => {
  const world = await asking((world) => [callbackOf(world)]);
  assert.equal(world.events.at(-1), "retried");
  await world.claim([callbackOf(world)]);
  const sent = { input: null, startedAt: T0 };
  const held = { type: "messages", messages: [callbackOf(world)], sent } as const;
  assert.equal((await world.step(held)).effect.type, "keep");
  assert.equal(world.events.filter((type) => type === "late_result_dropped").length, 3);
  assert.deepEqual(world.records, ["s:1:1 failed"]);
});

Deno.test("plan() records nothing of a run once more that is cancelled before it begins", async () => {
  const world = await asking();
  const sent = { input: null, startedAt: T0 };
  await world.step({ type: "messages", messages: [world.message("cancel")], sent });
  assert.deepEqual([world.last.status, world.last.state.rerun], ["cancelled", undefined]);
  assert.deepEqual(world.records, ["s:1:1 failed"]);
});

Deno.test("plan() hears of a pause while a run once more asks for its start", async () => {
  const world = await asking();
  const sent = { input: null, startedAt: T0 };
  await world.step({ type: "messages", messages: [world.message("pause")], sent });
  await world.step({ type: "admitted" });
  assert.equal(world.last.status, "paused");
  assert.equal(delivered(await world.claim([world.message("resume")])).attempt.visit, 2);
});

const failing = { type: "transform", output: "$.nowhere" };
const checked = (way: string, pattern: string) => ({
  ...task(),
  validate: { type: "regex", pattern, [way]: "b" },
});

/** A step `a` that leads to `b`, by each way that there is. */
const WAYS: readonly (readonly [string, Record<string, unknown>, Record<string, unknown>?])[] = [
  ["next_step", task({ next_step: "b" })],
  ["choices", {
    type: "choice",
    choices: [{ when: "true", next_step: "b" }, { when: "true", next_step: "c" }],
  }],
  ["default", { type: "choice", choices: [{ when: "false", next_step: "c" }], default: "b" }],
  ["on_error", { ...failing, on_error: "b" }],
  ["a list of on_error", { ...failing, on_error: [{ errors: ["*"], next_step: "b" }] }],
  ["on_error of the workflow", failing, { on_error: "b" }],
  ["on_timeout", { type: "wait_for_event", event: "e", timeout_seconds: 1, on_timeout: "b" }],
  ["on_reject", { type: "approval", on_reject: "b" }],
  ["next_step_on_fail", checked("next_step_on_fail", "^x")],
  ["next_step_on_pass", checked("next_step_on_pass", "^from")],
];

for (const [way, a, more] of WAYS) {
  Deno.test(`plan() hands a named step what led to it by ${way}`, async () => {
    const steps = { a, b: task({ next_step: "c" }), c: { type: "fail" } };
    const world = new World({ start_step: "a", steps, ...more }, { input_data: { n: 1 } });
    let decision = await world.claim();
    if (way === "on_reject") {
      const payload = { decision: "rejected", by: "u" };
      const about = { step_id: "a", visit: 1, attempt: 1, payload };
      decision = await world.claim([world.message("decision", about)]);
    } else if (world.row.nextRunAt !== null) {
      world.now = world.row.nextRunAt;
      decision = await world.claim();
    }
    if (delivered(decision).attempt.step_id === "a") {
      decision = await world.result(delivered(decision), { output: "from a" });
    }
    const first = delivered(decision);
    await world.result(first, { output: "from b" });
    assert.deepEqual([world.last.status, world.last.current_step_id], ["failed", "c"]);
    const again = delivered(await world.claim([retry(world, { from_step: "b" })]));
    assert.deepEqual(again.attempt, { step_id: "b", visit: 2, attempt: 1 });
    assert.deepEqual(again.input, first.input);
  });
}

Deno.test("plan() hands a named step nothing of a step that failed and led elsewhere", async () => {
  const steps = {
    a: { ...failing, next_step: "b", on_error: "mend" },
    mend: task({ next_step: "b" }),
    b: task({ next_step: "c" }),
    c: { type: "fail" },
  };
  const world = new World({ start_step: "a", steps });
  await world.run(({ attempt }) => ({ output: `from ${attempt.step_id}` }));
  const again = delivered(await world.claim([retry(world, { from_step: "b" })]));
  assert.equal(again.input, "from mend");
});
