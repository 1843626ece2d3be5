import assert from "node:assert/strict";
import { judgeAdvice } from "../../scripts/advisors.ts";

const finding = (level: string, cacheKey: string) => ({ level, cacheKey, detail: "it is so" });

Deno.test("judgeAdvice() lets pass what a reason allows, by its key or its check", () => {
  const findings = [finding("INFO", "unused_index_a"), finding("INFO", "no_policy_b")];
  assert.deepEqual(judgeAdvice(findings, { "unused_index_*": "why", no_policy_b: "why" }), []);
});

Deno.test("judgeAdvice() names what no reason allows, and never allows a warning", () => {
  const findings = [finding("INFO", "no_policy_c"), finding("WARN", "no_search_path_d")];
  assert.deepEqual(judgeAdvice(findings, { no_search_path_d: "why" }), [
    "INFO no_policy_c: it is so",
    "WARN no_search_path_d: it is so",
    "no_search_path_d is allowed and not found: drop the reason",
  ]);
});
