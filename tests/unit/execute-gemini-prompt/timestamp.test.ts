import { strict as assert } from "node:assert";
import { parseTimestamp } from "../../../supabase/functions/execute-gemini-prompt/timestamp.ts";

Deno.test("parseTimestamp() reads every form that models write", () => {
  const table: [value: unknown, seconds: number | undefined][] = [
    [0, 0],
    [83.4567, 83.457],
    ["83.5", 83.5],
    ["83.5s", 83.5],
    ["7", 7],
    ["00:00", 0],
    ["01:23", 83],
    ["1:23.4", 83.4],
    ["01:23,450", 83.45],
    ["01:23:450", 83.45],
    ["75:01", 4501],
    ["01:02:03", 3723],
    ["01:02:03.5", 3723.5],
    ["01:02:03:500", 3723.5],
    [" 00:05.250 ", 5.25],
    [-1, undefined],
    [Number.NaN, undefined],
    ["-1:00", undefined],
    ["00:60", undefined],
    ["01:60:00", undefined],
    ["", undefined],
    ["soon", undefined],
    ["1:2:3:4", undefined],
    [null, undefined],
    [["00:01"], undefined],
  ];
  for (const [value, seconds] of table) {
    assert.equal(parseTimestamp(value), seconds, JSON.stringify(value));
  }
});
