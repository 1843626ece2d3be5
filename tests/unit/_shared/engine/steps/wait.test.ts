import assert from "node:assert/strict";
import { delivered, iso, T0 } from "../plan/world.ts";
import { at, entryOf, failureOf, written } from "./support.ts";

Deno.test("wait: parks for so many seconds and hands nothing on", async () => {
  const world = at({ type: "wait", seconds: "$.job_input.n", next_step: "next" }, { n: 90 });
  assert.equal((await world.claim()).effect.type, "release");
  assert.deepEqual([world.last.status, world.last.next_run_at], ["waiting", iso(T0 + 90_000)]);
  world.now = T0 + 89_999;
  await world.claim();
  assert.equal(world.last.next_run_at, iso(T0 + 90_000));
  world.now = T0 + 90_000;
  const decision = await world.claim();
  assert.deepEqual(delivered(decision).input, { n: 90 });
  assert.equal(written(decision).job.state.waiting, undefined);
  assert.deepEqual(entryOf(world), {
    output: null,
    status: "completed",
    error: null,
    attempts: 1,
  });
  const [record] = written(decision).steps;
  assert.deepEqual([record?.started_at, record?.ended_at], [iso(T0), iso(T0 + 90_000)]);
});

for (
  const until of ["2026-01-02T00:00:00Z", "2026-01-02T01:00:00+01:00", "2026-01-02T00:00:00.000Z"]
) {
  Deno.test(`wait: until ${until}`, async () => {
    const world = at({ type: "wait", until });
    await world.claim();
    assert.equal(world.last.next_run_at, iso(T0 + 86_400_000));
  });
}

for (const step of [{ seconds: 0 }, { until: "2025-01-01T00:00:00Z" }, { until: iso(T0) }]) {
  Deno.test(`wait: ${JSON.stringify(step)} is over at once`, async () => {
    const world = at({ type: "wait", ...step, next_step: "next" });
    assert.equal(delivered(await world.claim()).attempt.step_id, "next");
  });
}

for (const [key, value] of [["seconds", -1], ["seconds", "5"], ["seconds", null]] as const) {
  Deno.test(`wait: refuses to wait ${JSON.stringify(value)} ${key}`, async () => {
    const world = at({ type: "wait", [key]: "$.job_input.x" }, { x: value });
    await world.claim();
    assert.equal(
      failureOf(world),
      `mapping_failed: 'steps.s.seconds' must be a number of seconds from 0 to 31622400: current value is ${
        JSON.stringify(value)
      }`,
    );
  });
}

for (const value of ["2026-01-02", "tomorrow", 5, "2026-01-02T00:00:00"]) {
  Deno.test(`wait: refuses to wait until ${JSON.stringify(value)}`, async () => {
    const world = at({ type: "wait", until: "$.job_input.x" }, { x: value });
    await world.claim();
    assert.match(
      failureOf(world),
      /^mapping_failed: 'steps\.s\.until' must be a time as of RFC 3339/,
    );
  });
}

Deno.test("wait: ends with the job's time", async () => {
  const world = at({ type: "wait", seconds: 90 });
  world.job = { ...world.job, deadline_at: iso(T0 + 30_000) };
  await world.claim();
  assert.equal(world.last.next_run_at, iso(T0 + 30_000));
  world.now = T0 + 30_000;
  await world.claim();
  assert.equal(world.last.error?.message, "Job did not end before 2026-01-01T00:00:30.000Z");
  assert.deepEqual(world.records, ["s:1:1 failed"]);
});

Deno.test("wait: no later than the calendar of the database goes", async () => {
  const world = at({ type: "wait", until: "9999-12-31T23:59:59-23:59" });
  await world.claim();
  assert.equal(world.last.next_run_at, "9999-12-31T00:00:00.000Z");
});
