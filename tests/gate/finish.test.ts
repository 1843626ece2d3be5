import assert from "node:assert/strict";
import { tallyOf } from "../../scripts/finish.ts";

/** A run that ends with this code, after it has written this for its tally, if anything. */
function started(code: number, line?: string) {
  return async (env: Record<string, string>) => {
    if (line !== undefined) await Deno.writeTextFile(env["MILLRACE_TALLY_FILE"] ?? "", `${line}\n`);
    return { code };
  };
}

Deno.test("tallyOf() takes a run at its word, and at its exit code", async () => {
  const cases: [number, string | undefined, [number, number, number]][] = [
    [0, "5 passed, 0 failed, 1 skipped", [5, 0, 1]],
    [1, "5 passed, 2 failed", [5, 2, 0]],
    [1, "5 passed, 0 failed", [5, 1, 0]],
    [0, undefined, [1, 0, 0]],
    [130, undefined, [0, 1, 0]],
  ];
  for (const [code, line, [passed, failed, skipped]] of cases) {
    assert.deepEqual(await tallyOf(started(code, line)), { passed, failed, skipped });
  }
});
