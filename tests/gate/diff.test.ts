import assert from "node:assert/strict";
import fc from "fast-check";
import { diffLines } from "../../scripts/diff.ts";

const lines = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, at) => `line ${from + at}`);

Deno.test("diffLines() of equal texts is nothing", () => {
  assert.deepEqual(diffLines("a\nb\n", "a\nb\n"), []);
});

Deno.test("diffLines() shows changes with what is around", () => {
  const before = lines(1, 20).join("\n");
  const after = before.replace("line 10", "changed").replace("line 20", "line 20\nadded");
  assert.deepEqual(diffLines(before, after), [
    "@@ line 7 @@",
    ...lines(7, 9).map((line) => ` ${line}`),
    "-line 10",
    "+changed",
    ...lines(11, 13).map((line) => ` ${line}`),
    "@@ line 18 @@",
    ...lines(18, 20).map((line) => ` ${line}`),
    "+added",
  ]);
});

Deno.test("diffLines() leads from one text to the other", () => {
  const text = fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 12 });
  fc.assert(fc.property(text, text, (before, after) => {
    const edits = diffLines(before.join("\n"), after.join("\n"))
      .filter((line) => !line.startsWith("@@"));
    const kept = (signs: string) =>
      edits.filter((line) => signs.includes(line[0] ?? "")).map((line) => line.slice(1));
    if (edits.length === 0) return assert.deepEqual(before, after);
    // So few lines are all near a change, but for those at the ends.
    assert.ok(before.join().includes(kept(" -").join()));
    assert.ok(after.join().includes(kept(" +").join()));
  }));
});
