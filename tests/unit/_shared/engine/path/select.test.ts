import assert from "node:assert/strict";
import fc from "fast-check";
import { JSONPath } from "jsonpath-plus";
import { find } from "../../../../../supabase/functions/_shared/engine/path/find.ts";
import { parsePath } from "../../../../../supabase/functions/_shared/engine/path/parse.ts";
import { select } from "../../../../../supabase/functions/_shared/engine/path/select.ts";

const DOCUMENT = {
  max: 20,
  items: [
    { id: 1, name: "Bolt", price: 5, tags: ["a", "b"] },
    { id: 2, name: "Nut", price: 15, tags: [], size: { w: 3 } },
    { id: 3, name: "nail/screw", price: 25, tags: ["b"] },
  ],
  more: { x: { id: 4 }, y: { id: 5 } },
  odd: { "*": 1, "a]b": 2, "a.b": 3 },
};

const CASES: [path: string, expected: unknown[]][] = [
  ["$.items[*].id", [1, 2, 3]],
  ["$.items.*.id", [1, 2, 3]],
  ["$.more.*.id", [4, 5]],
  ["$..id", [1, 2, 3, 4, 5]],
  ["$.items..id", [1, 2, 3]],
  ["$..tags[0]", ["a", "b"]],
  ["$..[1].id", [2]],
  ["$.items[0,2].id", [1, 3]],
  ["$.items[0]['id','name','nope']", [1, "Bolt"]],
  ["$.items[1:].id", [2, 3]],
  ["$.items[:2].id", [1, 2]],
  ["$.items[-1:].id", [3]],
  ["$.items[:-1].id", [1, 2]],
  ["$.items[::2].id", [1, 3]],
  ["$.items[::-1].id", [3, 2, 1]],
  ["$.items[1::-1].id", [2, 1]],
  ["$.items[5:]", []],
  ["$.items[-9:9].id", [1, 2, 3]],
  ["$.items[::0]", []],
  ["$.more[0:]", []],
  ["$.max[*]", []],
  ["$.items[?(@.price > 10)].id", [2, 3]],
  ["$.items[?@.price > 10].id", [2, 3]],
  ["$.items[?(@.price > 10 && @.price < 20)].id", [2]],
  ["$.items[?(@.price < @root.max)].id", [1, 2]],
  ["$.items[?(@.price < $.max)].id", [1, 2]],
  ["$.items[?(@.size.w == 3)].id", [2]],
  ["$.items[?(@.size)].id", [2]],
  ["$.items[?(!@.size)].id", [1, 3]],
  ["$.items[?(@.tags.length == 0)].id", [2]],
  ["$.items[?(@.tags.includes('b'))].id", [1, 3]],
  ["$.items[?(@.name.match(/^n/i))].id", [2, 3]],
  [String.raw`$.items[?(@.name.match(/\/s[c-z]/))].id`, [3]],
  ["$.items[?(/^B/.test(@.name))].id", [1]],
  ["$.items[?(@.name == 'a]' || @.name == \"Nut\")].id", [2]],
  ["$.items[?(@.price / 5 == 3)].id", [2]],
  ["$.items[?(@property == 1)].id", [2]],
  ["$.items[?(@parent.length == 3)].id", [1, 2, 3]],
  ["$.items[?(['Bolt', 'Nut'].includes(@.name) ? true : false)].id", [1, 2]],
  ["$.items[?(@['constructor'])].id", []],
  ["$.more[?(@.id == 5)]", [{ id: 5 }]],
  ["$.odd['*','a]b','a.b']", [1, 2, 3]],
];

for (const [path, expected] of CASES) {
  Deno.test(`select() ${path}`, () => {
    assert.deepEqual(select(DOCUMENT, parsePath(path).segments), expected);
  });
}

Deno.test("select() of a filter is not stopped by an item it cannot be evaluated on", () => {
  const path = parsePath("$[?(@.a.b.trim() == 'x')]");
  assert.deepEqual(select([{}, null, 1, { a: { b: " x" } }], path.segments), [{ a: { b: " x" } }]);
});

Deno.test("select() of a filter lets a stack overflow through", () => {
  const hostile = {
    get a(): unknown {
      throw new RangeError("Maximum call stack size exceeded");
    },
  };
  assert.throws(() => select([hostile], parsePath("$[?(@.a)]").segments), RangeError);
});

Deno.test("select() of '..' takes a document nested deeper than calls can be", () => {
  let deep: unknown = { id: 1 };
  for (let i = 0; i < 50_000; i++) deep = [deep];
  assert.deepEqual(select(deep, parsePath("$..id").segments), [1]);
});

const key = fc.constantFrom("a", "b", "c", "id");
const documents = fc.letrec((tie) => ({
  node: fc.oneof(
    { maxDepth: 4 },
    fc.oneof(fc.integer({ min: 0, max: 9 }), fc.boolean(), fc.constant(null), fc.constant("")),
    fc.array(tie("node"), { maxLength: 4 }),
    fc.dictionary(key, tie("node"), { maxKeys: 4 }),
  ),
})).node.filter((node) => typeof node === "object" && node !== null);

/** What jsonpath-plus finds; it finds characters in texts too, so that those here are empty. */
function oracle(json: unknown, path: string): unknown[] {
  return JSONPath({ json: json as object, path, wrap: true, eval: "safe" }) as unknown[];
}

Deno.test("find() agrees with jsonpath-plus on random documents", () => {
  const segment = fc.oneof(
    key.map((k) => `.${k}`),
    key.map((k) => `['${k}']`),
    fc.nat(3).map((i) => `[${i}]`),
  );
  fc.assert(
    fc.property(documents, fc.array(segment, { minLength: 1, maxLength: 4 }), (json, segments) => {
      const text = `$${segments.join("")}`;
      const value = find(json, parsePath(text).keys ?? []);
      assert.deepEqual(value === undefined ? [] : [value], oracle(json, text), text);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("select() agrees with jsonpath-plus on random documents", () => {
  const integer = fc.option(fc.integer({ min: -4, max: 4 }), { nil: "" });
  const segment = fc.oneof(
    key.map((k) => `.${k}`),
    key.map((k) => `..${k}`),
    fc.nat(3).map((i) => `[${i}]`),
    fc.tuple(fc.nat(3), fc.nat(3)).map(([i, j]) => `[${i},${j}]`),
    fc.tuple(key, key).map(([a, b]) => `['${a}','${b}']`),
    fc.constantFrom(".*", "[*]", "..*", "[?(@.a)]", "[?(@.id > 3)]", "[?(@.b === '')]"),
    fc.tuple(integer, integer, fc.option(fc.constantFrom(1, 2, -1), { nil: "" }))
      .map(([start, end, step]) => `[${start}:${end}:${step}]`),
  );
  fc.assert(
    fc.property(documents, fc.array(segment, { minLength: 1, maxLength: 3 }), (json, segments) => {
      const text = `$${segments.join("")}`;
      let expected: unknown[];
      try {
        expected = oracle(json, text);
      } catch {
        return; // It stops where a filter looks into null; we go on to the next item.
      }
      assert.deepEqual(select(json, parsePath(text).segments), expected, text);
    }),
    { numRuns: 3000 },
  );
});
