import assert from "node:assert/strict";
import type { Message } from "../../../../../supabase/functions/_shared/contracts/turn.ts";
import { delivered, iso, T0, type World } from "../plan/world.ts";
import { at, failureOf, written } from "./support.ts";

const step = { type: "wait_for_event", event: "paid", next_step: "next" };

/** An event by its place in the order of deliveries; ids may be given in another order. */
function event(
  world: World,
  position: number,
  payload: unknown,
  more: Partial<Message> = {},
): Message {
  return world.message("event", {
    step_id: "s",
    visit: 1,
    ...more,
    payload: { event_id: 100 - position, position, name: "paid", key: null, payload },
  });
}

Deno.test("wait_for_event: parks and asks for its events since the job began", async () => {
  const world = at({ ...step, event: "{{job_input.name}}", key: "$.job_input.n" }, {
    name: "paid",
    n: 7,
  });
  const { subscription, job } = written(await world.claim());
  assert.deepEqual(subscription, {
    job_id: world.job.job_id,
    step_id: "s",
    visit: 1,
    event: "paid",
    key: "7",
    after: 0,
    since: iso(T0),
  });
  assert.deepEqual([job.status, job.next_run_at], ["waiting", null]);
});

for (const payload of [0, false, "", null, { a: 1 }]) {
  Deno.test(`wait_for_event: hands on the payload ${JSON.stringify(payload)}`, async () => {
    const world = at(step);
    await world.claim();
    const decision = await world.claim([event(world, 3, payload)]);
    assert.deepEqual(delivered(decision).input, payload);
    assert.equal(written(decision).unsubscribe, true);
    assert.deepEqual(world.records, ["s:1:1 completed"]);
  });
}

Deno.test("wait_for_event: takes the first event that its match takes, and drops the rest", async () => {
  const world = at({ ...step, match: "event.n > job_input.least" }, { least: 5 });
  await world.claim();
  const decision = await world.claim([4, 6, 7].map((n) => event(world, n, { n })));
  assert.deepEqual(delivered(decision).input, { n: 6 });
  assert.equal(written(decision).consumed.length, 3);
});

Deno.test("wait_for_event: goes on waiting after those that do not match", async () => {
  const world = at({ ...step, match: "event.n > 5", timeout_seconds: 60 });
  await world.claim();
  const { subscription, job } = written(await world.claim([event(world, 9, { n: 1 })]));
  assert.equal(subscription?.after, 9);
  assert.deepEqual([job.status, job.next_run_at], ["waiting", iso(T0 + 60_000)]);
});

Deno.test("wait_for_event: one that a message interrupts for nothing still has its events", async () => {
  const world = at(step);
  await world.claim();
  const { subscription, unsubscribe } = written(await world.claim());
  assert.deepEqual([subscription?.event, unsubscribe], ["paid", undefined]);
});

Deno.test("wait_for_event: a loop waits for a later event each time", async () => {
  const world = at({ ...step, next_step: "s" }, {}, { max_step_visits: 5 });
  await world.claim();
  const { subscription } = written(await world.claim([event(world, 3, 1), event(world, 4, 2)]));
  assert.deepEqual([subscription?.visit, subscription?.after], [2, 3]);
  const received = world.row.writes.flatMap(({ events }) => events)
    .filter(({ type }) => type === "event_received");
  assert.deepEqual(received.map(({ data }) => data), [{ event_id: 97, name: "paid" }]);
});

Deno.test("wait_for_event: a loop does not meet what its match has passed over", async () => {
  const world = at({ ...step, match: "event.n > 5", next_step: "s" }, {}, { max_step_visits: 5 });
  await world.claim();
  const events = [event(world, 3, { n: 1 }), event(world, 5, { n: 6 }), event(world, 7, { n: 7 })];
  const { subscription } = written(await world.claim(events));
  assert.deepEqual([subscription?.visit, subscription?.after], [2, 5]);
});

Deno.test("wait_for_event: a loop does not meet an event again on which its match has failed", async () => {
  const match = "event.n > 5 or $error('no')";
  const world = at({ ...step, match, on_error: "s" }, {}, { max_step_visits: 5 });
  await world.claim();
  const events = [event(world, 3, { n: 1 }), event(world, 4, { n: 6 })];
  const { subscription, steps } = written(await world.claim(events));
  assert.equal(steps[0]?.error?.code, "expression_failed");
  assert.deepEqual([subscription?.visit, subscription?.after], [2, 3]);
  assert.deepEqual(world.job.state.events, { s: 3 });
});

Deno.test("wait_for_event: takes nothing from behind the end of a page, which it has yet to see", async () => {
  const world = at({ ...step, match: "event.n > 5" });
  await world.claim();
  const end = event(world, 3, { n: 1 });
  end.payload["more"] = true;
  const decision = await world.claim([event(world, 2, { n: 1 }), end, event(world, 9, { n: 9 })]);
  const { subscription, consumed, job } = written(decision);
  assert.deepEqual([job.status, subscription?.after], ["waiting", 3]);
  assert.equal(consumed.length, 3);
});

Deno.test("wait_for_event: takes the last event of a page where that one matches", async () => {
  const world = at({ ...step, match: "event.n > 5" });
  await world.claim();
  const end = event(world, 3, { n: 6 });
  end.payload["more"] = true;
  assert.deepEqual(delivered(await world.claim([end, event(world, 9, { n: 9 })])).input, { n: 6 });
});

Deno.test("wait_for_event: an event for another visit is dropped", async () => {
  const world = at(step);
  await world.claim();
  await world.claim([event(world, 3, 1, { visit: 2 })]);
  assert.equal(world.last.status, "waiting");
  assert.equal(world.events.at(-1), "late_result_dropped");
});

Deno.test("wait_for_event: a match that fails is the error of the step", async () => {
  const world = at({ ...step, match: "$error('no')", on_error: "mend" });
  await world.claim();
  const decision = await world.claim([event(world, 3, 1)]);
  assert.equal(delivered(decision).attempt.step_id, "mend");
  assert.match(failureOf(world), /^expression_failed: /);
});

Deno.test("wait_for_event: out of time it is event_timeout, or goes to on_timeout", async () => {
  for (const on_timeout of [undefined, "other"]) {
    const world = at({ ...step, timeout_seconds: 60, on_timeout });
    await world.claim();
    world.now = T0 + 60_000;
    const decision = await world.claim();
    assert.equal(failureOf(world), "event_timeout: No event came for step 's' within 60 s");
    assert.equal(written(decision).unsubscribe, true);
    if (on_timeout === undefined) assert.equal(world.last.status, "failed");
    else assert.equal(delivered(decision).attempt.step_id, on_timeout);
  }
});

Deno.test("wait_for_event: an event that is there counts, however late it is looked", async () => {
  const world = at({ ...step, timeout_seconds: 60 });
  await world.claim();
  world.now = T0 + 99_000;
  assert.equal(delivered(await world.claim([event(world, 3, "in time")])).input, "in time");
});

Deno.test("wait_for_event: does not run out of time before it has seen the last page", async () => {
  const world = at({ ...step, match: "event.n > 5", timeout_seconds: 60 });
  await world.claim();
  world.now = T0 + 99_000;
  const end = event(world, 3, { n: 1 });
  end.payload["more"] = true;
  const { subscription, job } = written(await world.claim([end]));
  assert.deepEqual([job.status, subscription?.after], ["waiting", 3]);
  assert.deepEqual(delivered(await world.claim([event(world, 9, { n: 9 })])).input, { n: 9 });
});

for (const name of ["", null, {}, "x".repeat(201)]) {
  Deno.test(`wait_for_event: refuses the name ${JSON.stringify(name).slice(0, 20)}`, async () => {
    const world = at({ ...step, event: "$.job_input.name" }, { name });
    await world.claim();
    assert.match(failureOf(world), /^mapping_failed: 'steps\.s\.event' must be a text of 1 to 200/);
  });
}
