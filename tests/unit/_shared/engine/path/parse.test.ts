import assert from "node:assert/strict";
import { parsePath } from "../../../../../supabase/functions/_shared/engine/path/parse.ts";
import { PathSyntaxError } from "../../../../../supabase/functions/_shared/engine/path/path.ts";
import { show } from "../../../../../supabase/functions/_shared/engine/problem.ts";

const DEFINITE: [text: string, keys: (string | number)[]][] = [
  ["$", []],
  ["$.a", ["a"]],
  ["$.a-b.c_d", ["a-b", "c_d"]],
  ["$.ä.日本", ["ä", "日本"]],
  ["$.a.0", ["a", "0"]],
  ["$.$ref", ["$ref"]],
  ["$['x']", ["x"]],
  ['$["x"].y', ["x", "y"]],
  ["$[ 'x' ]", ["x"]],
  ["$[0][12]", [0, 12]],
  ["$['a.b'][\"c'd\"]", ["a.b", "c'd"]],
  [String.raw`$['it\'s']`, ["it's"]],
  [String.raw`$["\u00e9\n\\\/\q"]`, ["é\n\\/q"]],
  ["$['*']", ["*"]],
  ["$['a]b']", ["a]b"]],
  ["$['']", [""]],
  ["$['a?']", ["a?"]],
];

for (const [text, keys] of DEFINITE) {
  Deno.test(`parsePath() takes ${text} for one place`, () => {
    const path = parsePath(text);
    assert.deepEqual(path.keys, keys);
    assert.equal(path.optional, false);
    assert.equal(path.text, text);
  });
}

const MANY = [
  "$.*",
  "$[*]",
  "$[ * ]",
  "$..a",
  "$..*",
  "$..[0]",
  "$..['a']",
  "$[0,1]",
  "$['a', \"b\"]",
  "$[1:]",
  "$[:1]",
  "$[::2]",
  "$[-1:]",
  "$[1:2:3]",
  "$[ 1 : 2 ]",
  "$[?(@.a)]",
  "$[?@.a == ']']",
  "$.a[?(@.b[0] > 1)].c",
];

for (const text of MANY) {
  Deno.test(`parsePath() takes ${text} for many places`, () => {
    assert.equal(parsePath(text).keys, undefined);
  });
}

Deno.test("parsePath() tells the optional mark from a filter", () => {
  assert.deepEqual(parsePath("$.a?").keys, ["a"]);
  assert.equal(parsePath("$.a?").optional, true);
  assert.equal(parsePath("$.a?").text, "$.a");
  assert.equal(parsePath("$.a[?(@.b)]").optional, false);
  assert.equal(parsePath("$.a[?(@.b)]?").optional, true);
  assert.equal(parsePath("$?").optional, true);
});

const REFUSED: [text: string, message: string][] = [
  ["a", "a path begins with '$'"],
  ["", "a path begins with '$'"],
  [`$.${"a".repeat(10_000)}`, "a path has at most 10000 characters"],
  ["$x", "expected '.' or '[' at position 1, found 'x'"],
  ["$.", "expected a name, '*' or '[' at position 2, found the end"],
  ["$..", "expected a name, '*' or '[' at position 3, found the end"],
  ["$...a", "expected a name, '*' or '[' at position 3, found '.'"],
  ["$.a b", "expected '.' or '[' at position 3, found ' '"],
  ["$.a??", "expected '.' or '[' at position 3, found '?'"],
  ["$.a^", "'^' is not supported, use { \"$expr\": … } to reach parents and keys"],
  ["$.a.*~", "'~' is not supported, use { \"$expr\": … } to reach parents and keys"],
  ["$.@string()", "expected a name, '*' or '[' at position 2, found '@'"],
  ["$[", "expected an index, a quoted name, '*', a slice or a filter at position 2"],
  ["$[]", "expected an index, a quoted name, '*', a slice or a filter at position 2"],
  ["$[a]", "expected an index, a quoted name, '*', a slice or a filter at position 2"],
  ["$['a]", "expected an index, a quoted name, '*', a slice or a filter at position 2"],
  ["$[0,]", "expected an index, a quoted name, '*', a slice or a filter at position 4"],
  ["$[0", "expected ']' at position 3"],
  ["$['a' 'b']", "expected ']' at position 6"],
  ["$[-1]", "[-1] is negative, use a slice such as [-1:]"],
  ["$[01]", "[01] is not an index"],
  ["$[99999999999999999999]", "[99999999999999999999] is not an index"],
  [
    "$[(@.length-1)]",
    'a script [(…)] is not supported, use a slice such as [-1:] or { "$expr": … }',
  ],
  ["$[?(@.a]", "a filter is never closed with ']'"],
  ["$[?(@.a == )]", "a filter cannot be parsed: Expected expression after == at character 9"],
  ["$[?()]", "a filter must be one expression"],
  ["$[?(@.a, @.b)]", "a filter cannot use a SequenceExpression"],
  ["$[?(@path == 1)]", "a filter cannot use @path, only @, @root, @parent, @property"],
  ["$[?(@.a == b)]", "a filter cannot use 'b', quote it or write @.b"],
  ["$[?(a = 1)]", "a filter cannot use a AssignmentExpression"],
  ["$[?(this.a)]", "a filter cannot use a ThisExpression"],
  [
    "$[?(@.a.push(1))]",
    "a filter may call only includes, startsWith, endsWith, indexOf, match, test, toLowerCase, toUpperCase, trim, not push",
  ],
  [
    "$[?(@['push'](1))]",
    "a filter may call only includes, startsWith, endsWith, indexOf, match, test, toLowerCase, toUpperCase, trim",
  ],
  [
    "$[?(@(1))]",
    "a filter may call only includes, startsWith, endsWith, indexOf, match, test, toLowerCase, toUpperCase, trim",
  ],
];

for (const [text, message] of REFUSED) {
  Deno.test(`parsePath() refuses ${show(text)}`, () => {
    assert.throws(() => parsePath(text), (error: unknown) => {
      assert.ok(error instanceof PathSyntaxError);
      assert.equal(error.message, message);
      return true;
    });
  });
}
