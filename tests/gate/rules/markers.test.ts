import assert from "node:assert/strict";
import { markers } from "../../../scripts/rules/markers.ts";
import { faultsIn } from "../support.ts";

const LEFT = "TO" + "DO";

Deno.test("markers finds what is left to do, in code and in prose", async () => {
  const files = {
    "a.ts": `x;\n// ${LEFT}: more`,
    "b.sql": `-- ${LEFT}`,
    "c.md": LEFT,
    "d.png": LEFT,
  };
  assert.deepEqual(await faultsIn(markers, files), [
    `a.ts:2: ${LEFT} is left`,
    `b.sql:1: ${LEFT} is left`,
    `c.md:1: ${LEFT} is left`,
  ]);
});

Deno.test("markers finds tests that keep others from running, and only those", async () => {
  const files = {
    "a.test.ts": "Deno.test.on" + 'ly("a", () => {});',
    "b.test.ts": 'Deno.test({ name: "b", on' + "ly: true, fn() {} });",
    "c.test.ts": "// Deno.test.on" + "ly\nconst allOnly = { sayOnly: true };",
    "d.ts": "Deno.test.on" + "ly()",
  };
  assert.deepEqual(await faultsIn(markers, files), [
    "a.test.ts:1: this test keeps all others from running",
    "b.test.ts:1: this test keeps all others from running",
  ]);
});
