import assert from "node:assert/strict";
import { branchPercentage, readLcov } from "../../scripts/coverage.ts";

const LCOV = `SF:/a/one.ts
FN:1,f
DA:1,5
BRDA:1,1,0,5
BRDA:1,1,1,0
BRDA:2,2,0,-
BRF:3
BRH:1
end_of_record
SF:/a/two.ts
DA:1,1
end_of_record
`;

Deno.test("readLcov() counts the branches of each file", () => {
  assert.deepEqual(readLcov(LCOV), [
    { file: "/a/one.ts", found: 3, hit: 1 },
    { file: "/a/two.ts", found: 0, hit: 0 },
  ]);
});

Deno.test("branchPercentage() is of all files, and nothing is not all", () => {
  const file = "a";
  assert.equal(branchPercentage([{ file, found: 3, hit: 3 }, { file, found: 1, hit: 0 }]), 75);
  assert.equal(branchPercentage([]), 0);
});
