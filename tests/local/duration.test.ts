import assert from "node:assert/strict";
import { formatDuration, parseDuration } from "../../local/clock/duration.ts";

Deno.test("parseDuration() reads one number for each unit, the largest first", () => {
  for (
    const [text, ms] of [
      ["1d2h", 93_600_000],
      ["1w", 604_800_000],
      ["90s", 90_000],
      ["1.5s", 1_500],
      ["250ms", 250],
      ["1h1m1s1ms", 3_661_001],
      ["5m", 300_000],
    ] as const
  ) assert.equal(parseDuration(text), ms, text);
});

Deno.test("parseDuration() takes nothing else", () => {
  const wrong = ["", "0s", "1", "-1d", "2h1d", "1 d", "1y", "1.5d", "1e3s", "9".repeat(20) + "d"];
  for (const text of wrong) assert.equal(parseDuration(text), undefined, text);
});

Deno.test("formatDuration() writes what parseDuration() reads", () => {
  for (const text of ["1d2h", "1m30s", "250ms", "8d1ms", "23h59m59s999ms"]) {
    assert.equal(formatDuration(parseDuration(text) ?? NaN), text);
  }
  assert.equal(formatDuration(0), "0s");
});
