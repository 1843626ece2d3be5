import assert from "node:assert/strict";
import { cutText } from "../../../../supabase/functions/_shared/engine/text.ts";

const CUTS: [text: string, units: number, expected: string][] = [
  ["abc", 3, "abc"],
  ["abcd", 3, "abc"],
  ["ab😀", 4, "ab😀"],
  ["ab😀", 3, "ab"],
  ["ab😀c", 4, "ab😀"],
  ["😀", 0, ""],
];

for (const [text, units, expected] of CUTS) {
  Deno.test(`cutText(): '${text}' to ${units} units is '${expected}'`, () => {
    assert.equal(cutText(text, units), expected);
  });
}
