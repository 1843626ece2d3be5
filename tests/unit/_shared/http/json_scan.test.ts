import assert from "node:assert/strict";
import fc from "fast-check";
import { findJsonFault } from "../../../../supabase/functions/_shared/http/json_scan.ts";

const SYNTAX: [name: string, text: string, position: number][] = [
  ["nothing", "", 0],
  ["a word", "hello", 0],
  ["a comma at the end", '{"a": 1,}', 8],
  ["a missing colon", '{"a" 1}', 5],
  ["a key without quotes", "{a: 1}", 1],
  ["single quotes", "{'a': 1}", 1],
  ["an open object", '{"a": {"b": 1}', 14],
  ["an open array", "[1, 2", 5],
  ["an open string", '["abc', 5],
  ["a raw line break in a string", '["a\nb"]', 3],
  ["a raw zero byte in a string", '["a\u0000b"]', 3],
  ["a bad escape", '["\\x"]', 3],
  ["a short unicode escape", '["\\u12"]', 4],
  ["a leading zero", "[01]", 2],
  ["a lone minus", "[-]", 2],
  ["NaN", "[NaN]", 1],
  ["a comment", "[1 // one\n]", 3],
  ["something after the end", "{} {}", 3],
];

for (const [name, text, position] of SYNTAX) {
  Deno.test(`findJsonFault() places ${name}`, () => {
    const fault = findJsonFault(text, 100);
    assert.equal(fault?.kind, "syntax");
    assert.equal(fault.position, position);
    assert.throws(() => JSON.parse(text), SyntaxError);
  });
}

const CONTENT: [name: string, text: string, path: (string | number)[], message: RegExp][] = [
  ["\\u0000 in a value", '{"a": ["x", "y\\u0000"]}', ["a", 1], /\\u0000/],
  ["\\u0000 in a key", '{"a": {"k\\u0000": 1}}', ["a"], /\\u0000/],
  ["half a surrogate pair", '{"a": "\\ud83d"}', ["a"], /surrogate/],
  ["a pair the wrong way round", '{"a": "\\ude00\\ud83d"}', ["a"], /surrogate/],
  ["a high surrogate before a letter", '{"a": "\\ud83d\\u0041"}', ["a"], /surrogate/],
  ["a whole number beyond 2^53", '{"a": {"b": 9007199254740993}}', ["a", "b"], /2\^53/],
  ["a fraction beyond 2^53", "[9007199254740992.5]", [0], /2\^53/],
  ["a number too large", '{"a": 1e400}', ["a"], /1\.8e308/],
  ["a number too small", '{"a": 1e-400}', ["a"], /becomes 0/],
  ["nesting too deep", "[[[[1]]]]", [0, 0, 0], /deeper than 3 levels/],
];

for (const [name, text, path, message] of CONTENT) {
  Deno.test(`findJsonFault() names the path of ${name}`, () => {
    const fault = findJsonFault(text, 3);
    assert.equal(fault?.kind, "content");
    assert.deepEqual(fault.path, path);
    assert.match(fault.message, message);
  });
}

const GOOD = [
  '{"a": [1, -2.5e10, 0, -0, true, false, null, "😀 ünïcode"]}',
  "  [ ]  ",
  '"\\ud83d\\ude00"',
  "[9007199254740991, 9007199254740992, -9007199254740994, 1e300, 123456789012345680000]",
  "[0.1, 3.14159265358979323846, 0e5, 0.000]",
  '{"__proto__": {"a": 1}, "constructor": 1}',
  "1",
];

for (const text of GOOD) {
  Deno.test(`findJsonFault() finds nothing in ${text}`, () => {
    assert.equal(findJsonFault(text, 100), null);
  });
}

Deno.test("findJsonFault() stops at the depth limit without using up the stack", () => {
  const fault = findJsonFault("[".repeat(1_000_000), 100);
  assert.equal(fault?.kind, "content");
});

Deno.test("findJsonFault() reads a large string in reasonable time", () => {
  assert.equal(findJsonFault(JSON.stringify({ a: "x".repeat(4_000_000) }), 100), null);
});

Deno.test("findJsonFault() accepts every JSON that keeps its value", () => {
  fc.assert(fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
    const text = JSON.stringify(value);
    if (/\\u0000|\\ud[89a-f]/i.test(text)) return;
    assert.equal(findJsonFault(text, 100), null);
  }));
});

Deno.test("findJsonFault() passes only what JSON.parse() takes, and blames the syntax only of what it refuses", () => {
  const mutated = fc.tuple(
    fc.json(),
    fc.nat(),
    fc.constantFrom("", "}", "]", ",", '"', "\\", "e", "0"),
  );
  fc.assert(
    fc.property(mutated, ([json, at, inserted]) => {
      const cut = json.length === 0 ? 0 : at % json.length;
      const text = json.slice(0, cut) + inserted + json.slice(cut + 1);
      const fault = findJsonFault(text, 1_000);
      if (parses(text)) assert.notEqual(fault?.kind, "syntax", text);
      else assert.notEqual(fault, null, text);
    }),
    { numRuns: 2_000 },
  );
});

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
