import assert from "node:assert/strict";
import { createClock } from "../../../../supabase/functions/_shared/orchestrator/clock.ts";

const T0 = Date.parse("2026-01-01T00:00:00.000Z");
const iso = (ms: number) => new Date(ms).toISOString();

function aClock(startAt = T0) {
  const local = { ms: 1_000.4 };
  return { local, clock: createClock(() => local.ms, startAt) };
}

Deno.test("createClock() starts where it is told and passes with the local clock", () => {
  const { clock, local } = aClock();
  assert.equal(clock.now(), T0);
  local.ms += 1_500.7;
  assert.equal(clock.now(), T0 + 1_500);
  assert.equal(clock.elapsed(), local.ms);
});

Deno.test("sync() follows the database forward, by days too", () => {
  const { clock, local } = aClock();
  for (const ahead of [5, 3_600_000, 40 * 86_400_000]) {
    clock.sync(iso(T0 + ahead));
    assert.equal(clock.now(), T0 + ahead);
    local.ms += 10;
    assert.equal(clock.now(), T0 + ahead + 10);
  }
});

Deno.test("sync() waits small steps back out, as answers take time to travel", () => {
  const { clock, local } = aClock();
  clock.now();
  clock.sync(iso(T0 - 300));
  assert.equal(clock.now(), T0);
  local.ms += 200;
  assert.equal(clock.now(), T0);
  local.ms += 200;
  assert.equal(clock.now(), T0 + 100);
});

Deno.test("sync() follows the database a long way back, and does not stand still for it", () => {
  const { clock, local } = aClock(T0 + 3_600_000);
  clock.now();
  clock.sync(iso(T0));
  assert.equal(clock.now(), T0);
  local.ms += 10;
  assert.equal(clock.now(), T0 + 10);
});

Deno.test("sync() passes over what is no time", () => {
  const { clock } = aClock();
  clock.sync("yesterday");
  assert.equal(clock.now(), T0);
});

Deno.test("elapsed() does not care for the database's clock", () => {
  const { clock, local } = aClock();
  clock.sync(iso(T0 + 86_400_000));
  assert.equal(clock.elapsed(), local.ms);
});
