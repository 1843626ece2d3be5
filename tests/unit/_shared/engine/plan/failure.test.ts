import assert from "node:assert/strict";
import { delivered, iso, T0, task, World } from "./world.ts";

const one = (more: Record<string, unknown> = {}) => ({ start_step: "a", steps: { a: task(more) } });

Deno.test("plan() parks a failed attempt until its retry", async () => {
  const world = new World(one());
  world.random = 0.25;
  const decision = await world.result(delivered(await world.claim()), { fail: "timeout" });
  assert.equal(decision.effect.type, "release");
  assert.equal(world.last.status, "awaiting_retry");
  assert.equal(world.last.next_run_at, iso(T0 + 250));
  assert.equal(world.last.next_retry_at, iso(T0 + 250));
  assert.equal(world.last.retry_count, 1);
  assert.equal(world.last.error?.code, "timeout");
  assert.deepEqual(world.last.state, { attempt: 2 });
  assert.deepEqual(world.records, ["a:1:1 failed"]);
  assert.deepEqual(world.events, ["retry_scheduled"]);
});

Deno.test("plan() fails the job with the last error once retries are used up", async () => {
  const world = new World(one());
  const row = await world.run(() => ({ fail: "http_5xx" }));
  assert.equal(row.status, "failed");
  assert.equal(world.last.error?.code, "http_5xx");
  assert.equal(world.last.retry_count, 3);
  assert.deepEqual(world.records, [1, 2, 3, 4].map((n) => `a:1:${n} failed`));
});

Deno.test("plan() does not retry what another attempt could not mend", async () => {
  const world = new World(one());
  await world.run(() => ({ fail: "http_4xx" }));
  assert.deepEqual(world.records, ["a:1:1 failed"]);
});

for (
  const [where, make] of [
    ["step", () => new World(one({ retry: { max_retries: 1 } }))],
    ["definition", () => new World({ ...one(), retry: { max_retries: 1 } })],
    ["transformer", () => {
      const world = new World(one());
      world.addTransformer("echo", { retry: { max_retries: 1 } });
      return world;
    }],
    ["job", () => new World(one(), { max_retries: 1 })],
  ] as const
) {
  Deno.test(`plan() takes the number of retries from the ${where}`, async () => {
    const world = make();
    await world.run(() => ({ fail: "timeout" }));
    assert.deepEqual(world.records, ["a:1:1 failed", "a:1:2 failed"]);
  });
}

Deno.test("plan() starts retries anew with the next step", async () => {
  const world = new World({
    start_step: "a",
    steps: { a: task({ next_step: "b" }), b: task() },
  }, { max_retries: 1 });
  const row = await world.run((delivery) =>
    delivery.attempt.attempt === 1 ? { fail: "timeout" } : { output: 1 }
  );
  assert.equal(row.status, "completed");
  assert.equal(world.last.retry_count, 1);
});

Deno.test("plan() goes to the first handler that means the error", async () => {
  const world = new World({
    start_step: "a",
    steps: {
      a: task({
        retry: { max_retries: 0 },
        on_error: [
          { errors: ["http_4xx"], next_step: "never" },
          { errors: ["timeout", "network"], next_step: "mend" },
          { errors: ["*"], next_step: "never" },
        ],
      }),
      mend: task({ input_map: { code: "$.a.error.code", status: "$.a.status" } }),
      never: task(),
    },
  });
  let input: unknown;
  const row = await world.run((delivery) => {
    input = delivery.input;
    return delivery.attempt.step_id === "a" ? { fail: "timeout" } : { output: "mended" };
  });
  assert.equal(row.status, "completed");
  assert.deepEqual(input, { code: "timeout", status: "failed" });
  assert.deepEqual(world.records, ["a:1:1 failed", "mend:1:1 completed"]);
  assert.deepEqual(world.events, ["error_handled"]);
});

Deno.test("plan() goes to the definition's handler when the step has none, once", async () => {
  const world = new World({
    start_step: "a",
    steps: { a: task({ retry: { max_retries: 0 } }), sorry: task({ retry: { max_retries: 0 } }) },
    on_error: "sorry",
  });
  const row = await world.run(() => ({ fail: "timeout" }));
  assert.equal(row.status, "failed");
  assert.deepEqual(world.records, ["a:1:1 failed", "sorry:1:1 failed"]);
});

for (
  const [what, definition, code] of [
    ["input_map finds nothing", one({ input_map: { x: "$.job_input.missing" } }), "mapping_failed"],
    ["an expression fails", one({ input_map: { $expr: "$error('no')" } }), "expression_failed"],
    ["when fails", one({ when: "$error('no')" }), "expression_failed"],
    ["there is no transformer", one({ transformer_id: "gone" }), "transformer_not_found"],
  ] as const
) {
  Deno.test(`plan() fails the attempt before it is sent when ${what}`, async () => {
    const world = new World(definition);
    await world.run(() => assert.fail("nothing is to be sent"));
    assert.equal(world.last.error?.code, code);
    assert.deepEqual(world.records, ["a:1:1 failed"]);
  });
}

Deno.test("plan() delivers a lost attempt again under the same name", async () => {
  const world = new World(one());
  const first = delivered(await world.claim());
  const second = delivered(await world.result(first, "lost"));
  assert.deepEqual(second.attempt, first.attempt);
  assert.equal(second.redeliveries, 1);
  assert.equal(world.last.status, "running");
  assert.deepEqual(world.events, ["redelivered"]);
  await world.result(second, { output: 1 });
  assert.equal(world.row.writes.at(-1)?.steps[0]?.redeliveries, 1);
  assert.equal(world.last.redeliveries, 0);
});

for (const how of ["lost", "crash"] as const) {
  Deno.test(`plan() fails an attempt that is ${how} every time, and then retries it`, async () => {
    const world = new World(one({ retry: { max_retries: 1 } }));
    const redeliveries: number[] = [];
    const row = await world.run((delivery) => {
      redeliveries.push(delivery.redeliveries);
      return how;
    });
    assert.equal(row.status, "failed");
    assert.equal(world.last.error?.code, "executor_crashed");
    assert.deepEqual(world.records, ["a:1:1 failed", "a:1:2 failed"]);
    assert.deepEqual(redeliveries, [0, 1, 2, 3, 0, 1, 2, 3]);
  });
}

Deno.test("plan() ignores a result of another attempt", async () => {
  const world = new World(one());
  const delivery = delivered(await world.claim());
  const stale = { ...delivery, attempt: { ...delivery.attempt, visit: 2 } };
  for (const answer of [{ output: 1 }, "lost"] as const) {
    const decision = await world.result(stale, answer);
    assert.deepEqual(decision.effect, { type: "keep" });
    assert.equal(decision.write, null);
  }
});

Deno.test("plan() gives an attempt no longer than its job has left", async () => {
  const world = new World({ ...one(), timeout_seconds: 30 }, { deadline_at: iso(T0 + 30_000) });
  assert.equal(delivered(await world.claim()).timeoutSeconds, 30);
  const roomy = new World(one(), { deadline_at: iso(T0 + 90_000) });
  assert.equal(delivered(await roomy.claim()).timeoutSeconds, 60);
});

Deno.test("plan() fails a job at its deadline instead of retrying", async () => {
  const world = new World(one(), { deadline_at: iso(T0 + 30_000) });
  const delivery = delivered(await world.claim());
  world.now = T0 + 30_000;
  await world.result(delivery, { fail: "network" });
  assert.equal(world.row.status, "failed");
  assert.equal(world.last.error?.code, "timeout");
  assert.equal(world.last.error?.message, "Job did not end before 2026-01-01T00:00:30.000Z");
});

Deno.test("plan() wakes a job that waits for its retry at its deadline", async () => {
  const world = new World(
    one({ retry: { strategy: "fixed", base_delay_seconds: 600, jitter: "none" } }),
    { deadline_at: iso(T0 + 30_000) },
  );
  const row = await world.run(() => ({ fail: "network" }));
  assert.equal(row.status, "failed");
  assert.equal(world.now, T0 + 30_000);
});

Deno.test("plan() fails a redelivery past the deadline", async () => {
  const world = new World(one(), { deadline_at: iso(T0 + 30_000) });
  await world.claim();
  world.now = T0 + 31_000;
  await world.claim();
  assert.equal(world.last.error?.code, "timeout");
});
