import assert from "node:assert/strict";
import { showValue } from "../../../demo/show_value.ts";

function shows(value: unknown, lines: string[], width = 60): void {
  assert.deepEqual(showValue(value, width, "  "), lines);
}

Deno.test("showValue() puts a key on each line, blocks last", () => {
  shows({ rows: [{ a: 1 }], text: "one", list: ["a", "b"], none: [], flag: false }, [
    "  text  one",
    "  list  a, b",
    "  none  none",
    "  flag  false",
    "  rows",
    "    a",
    "    1",
  ]);
});

Deno.test("showValue() makes tables: words to the left, numbers to the right, long texts last", () => {
  const long = "x".repeat(80);
  shows({ rows: [{ n: "1,200.50", t: long, w: "DE" }, { n: 7, t: null, w: "Österreich" }] }, [
    "  rows",
    `    w                  n  t`,
    `    DE          1,200.50  ${"x".repeat(71)}…`,
    "    Österreich         7",
  ]);
});

Deno.test("showValue() says how many rows of a table it leaves out", () => {
  const lines = showValue({ rows: Array.from({ length: 20 }, (_, n) => ({ n })) }, 60);
  assert.equal(lines.length, 1 + 1 + 12 + 1);
  assert.equal(lines.at(-1), "  … and 8 more");
});

Deno.test("showValue() wraps long texts and keeps their lines", () => {
  shows({ text: "one two three\nfour five" }, [
    "  text  one two",
    "        three",
    "        four",
    "        five",
  ], 16);
});

Deno.test("showValue() cuts what is not an object to the width", () => {
  shows("a".repeat(100), [`  "${"a".repeat(16)}…`], 20);
  shows([[1]], ["  [[1]]"]);
  shows(null, ["  null"]);
});
