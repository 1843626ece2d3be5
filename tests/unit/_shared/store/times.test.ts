import assert from "node:assert/strict";
import { withTimes } from "../../../../supabase/functions/_shared/store/times.ts";

Deno.test("withTimes() writes times as RFC 3339, and leaves alone what is none or not named", () => {
  const row = {
    a: "2030-01-31 12:00:00.123456+00",
    b: "2030-01-31T12:00:00.5+02:00",
    c: null,
    d: "2030-01-31 12:00:00+00",
  };
  assert.deepEqual(withTimes(row, ["a", "b", "c", "missing"]), {
    ...row,
    a: "2030-01-31T12:00:00.123456+00:00",
  });
});
