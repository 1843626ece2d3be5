import assert from "node:assert/strict";
import { ignores } from "../../../scripts/rules/ignores.ts";
import { faultsIn } from "../support.ts";

/** As it stands in a file; put together, so that the rule finds nothing to say about this file. */
const ignore = (rest: string) => `const a = 1;\n// deno-lint-` + `ignore${rest}\n`;

const CASES: [name: string, text: string, faults: string[]][] = [
  ["a rule with a reason", ignore(" no-console -- it is a terminal"), []],
  ["a rule without a reason", ignore(" no-console"), [
    "a.ts:2: deno-lint-ignore needs a reason: -- why",
  ]],
  ["dashes without a reason", ignore(" no-console -- "), [
    "a.ts:2: deno-lint-ignore needs a reason: -- why",
  ]],
  ["no rule at all", ignore(" -- because"), [
    "a.ts:2: deno-lint-ignore must name the rules that it ignores",
  ]],
  ["a whole file without a reason", ignore("-file no-console"), [
    "a.ts:2: deno-lint-ignore-file needs a reason: -- why",
  ]],
  ["formatting without a reason", "// deno-fmt-" + "ignore\n", [
    "a.ts:1: deno-fmt-ignore needs a reason: -- why",
  ]],
  ["types switched off", "// @ts-" + "ignore -- because\n", [
    "a.ts:1: @ts-ignore is not to be used: say what the type is",
  ]],
  ["an expected type error with a reason", "// @ts-" + "expect-error -- a wrong call\n", []],
];

for (const [name, text, faults] of CASES) {
  Deno.test(`ignores finds what is unexplained: ${name}`, async () => {
    assert.deepEqual(await faultsIn(ignores, { "a.ts": text }), faults);
  });
}
