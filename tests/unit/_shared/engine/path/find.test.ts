import assert from "node:assert/strict";
import {
  explainMissing,
  find,
} from "../../../../../supabase/functions/_shared/engine/path/find.ts";
import { parsePath } from "../../../../../supabase/functions/_shared/engine/path/parse.ts";

const DOCUMENT = {
  a: { b: [1, 2], one: [1], text: "abc", nothing: null, "odd key": { x: 1 }, unset: undefined },
};

const MISSING: [path: string, reason: string][] = [
  ["$.x", "$ has no 'x'"],
  ["$.a.x.y", "$.a has no 'x'"],
  ["$.a.b[2]", "$.a.b has only 2 items"],
  ["$.a.b.2", "$.a.b has only 2 items"],
  ["$.a.one[1]", "$.a.one has only 1 item"],
  ["$.a.b[0].x", "$.a.b[0] is a number"],
  ["$.a.b.length", "$.a.b is an array, which has no 'length'"],
  ["$.a.b['-1']", "$.a.b is an array, which has no '-1'"],
  ["$.a.b['01']", "$.a.b is an array, which has no '01'"],
  ["$.a.text[0]", "$.a.text is a string"],
  ["$.a.text.length", "$.a.text is a string"],
  ["$.a.nothing.x", "$.a.nothing is null"],
  ["$.a['odd key'].y", "$.a[\"odd key\"] has no 'y'"],
  ["$.a.unset", "$.a has no 'unset'"],
  ["$.constructor", "$ has no 'constructor'"],
  ["$.a.__proto__", "$.a has no '__proto__'"],
  ["$.a.b.constructor", "$.a.b is an array, which has no 'constructor'"],
  ["$.a.toString.name", "$.a has no 'toString'"],
];

for (const [text, reason] of MISSING) {
  Deno.test(`find() finds nothing at ${text}`, () => {
    const path = parsePath(text);
    assert.equal(find(DOCUMENT, path.keys ?? []), undefined);
    assert.equal(explainMissing(DOCUMENT, path), reason);
  });
}

Deno.test("find() takes an own key named __proto__ for a key", () => {
  assert.equal(find(JSON.parse('{"__proto__":{"x":1}}'), ["__proto__", "x"]), 1);
});

Deno.test("explainMissing() of the whole document", () => {
  assert.equal(explainMissing(undefined, parsePath("$")), "$ has no value");
});
