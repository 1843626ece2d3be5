import assert from "node:assert/strict";
import { testPlaces } from "../../../scripts/rules/test_places.ts";
import { faultsIn } from "../support.ts";

Deno.test("testPlaces finds tests that break what others use, and files without a test", async () => {
  const kill = 'Deno.test("a", () => cont' + 'rol(stack, "killFunction", "jobs"));';
  const files = {
    "tests/faults/a.test.ts": kill,
    "tests/scenarios/a.test.ts": `const stack = await ownStack({});\n${kill}`,
    "tests/scenarios/b.test.ts": kill,
    "tests/scenarios/c.test.ts": 'file.test("a", () => control(stack, "createDatabase"));',
    "tests/scenarios/d.test.ts": "// Deno.test()",
  };
  assert.deepEqual(await faultsIn(testPlaces, files), [
    "tests/scenarios/b.test.ts:1: killFunction breaks the stack that tests share: belongs to tests/faults",
    "tests/scenarios/d.test.ts: has no test",
  ]);
});
