import assert from "node:assert/strict";
import { seededRandom } from "../../../../../supabase/functions/_shared/engine/expressions/random.ts";

Deno.test("seededRandom() is spread evenly over [0, 1)", () => {
  const random = seededRandom("any");
  const buckets = new Array<number>(10).fill(0);
  for (let i = 0; i < 10_000; i++) {
    const drawn = random();
    assert.ok(drawn >= 0 && drawn < 1);
    const bucket = Math.floor(drawn * 10);
    buckets[bucket] = (buckets[bucket] ?? 0) + 1;
  }
  for (const count of buckets) assert.ok(Math.abs(count - 1000) < 150, String(buckets));
});

Deno.test("seededRandom() differs between seeds that differ in one character", () => {
  const first = new Set(
    Array.from({ length: 1000 }, (_, i) => seededRandom(`job:${i}`)()),
  );
  assert.ok(first.size > 995);
});
