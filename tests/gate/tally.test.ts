import assert from "node:assert/strict";
import { closingLine, readClosingLine, readSummary, sum } from "../../scripts/tally.ts";

const SUMMARIES: [output: string, code: number, tally: [number, number, number]][] = [
  ["\nok | 908 passed (65 steps) | 0 failed (11s)\n", 0, [908, 0, 0]],
  ["ok | 1 passed | 0 failed | 2 ignored (3 steps) | 4 filtered out (2ms)", 0, [1, 0, 2]],
  ["FAILED | 3 passed (1 step) | 2 failed (1 step) | 1 ignored (1 step) (63ms)", 1, [3, 2, 1]],
  ["\x1b[0m\x1b[32mok\x1b[0m | 2 passed | 0 failed \x1b[0m(35s)\x1b[0m", 0, [2, 0, 0]],
  ["ok | 7 passed | 0 failed (1s)\nok | 2 passed | 0 failed (1s)", 0, [2, 0, 0]],
  ["ok | 2 passed | 0 failed (1s)", 137, [2, 1, 0]],
  ["error: Module not found", 1, [0, 1, 0]],
  ["", 0, [0, 1, 0]],
];

for (const [output, code, [passed, failed, skipped]] of SUMMARIES) {
  Deno.test(`readSummary() of ${JSON.stringify(output)} with exit code ${code}`, () => {
    assert.deepEqual(readSummary(output, code), { passed, failed, skipped });
  });
}

Deno.test("closingLine() says what readClosingLine() reads", () => {
  for (
    const tally of [{ passed: 12, failed: 0, skipped: 0 }, { passed: 1, failed: 2, skipped: 3 }]
  ) {
    assert.deepEqual(readClosingLine(closingLine(tally)), tally);
  }
  assert.equal(closingLine({ passed: 12, failed: 0, skipped: 0 }), "12 passed, 0 failed");
  assert.equal(closingLine({ passed: 1, failed: 2, skipped: 3 }), "1 passed, 2 failed, 3 skipped");
  assert.equal(readClosingLine("tests: 1 passed, 0 failed"), undefined);
});

Deno.test("sum() adds up", () => {
  const one = { passed: 1, failed: 2, skipped: 3 };
  assert.deepEqual(sum([one, one]), { passed: 2, failed: 4, skipped: 6 });
  assert.deepEqual(sum([]), { passed: 0, failed: 0, skipped: 0 });
});
