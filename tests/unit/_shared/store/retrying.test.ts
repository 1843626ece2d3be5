import assert from "node:assert/strict";
import {
  DatabaseUnavailableError,
  InvalidArgumentError,
  StoreError,
  TransactionConflictError,
} from "../../../../supabase/functions/_shared/store/errors.ts";
import { retrying } from "../../../../supabase/functions/_shared/store/retrying.ts";

/** Does a call that fails so often before it passes; the pauses are noted, not made. */
async function run(error: Error, failures: number) {
  const pauses: number[] = [];
  let calls = 0;
  const call = () => {
    calls++;
    return calls <= failures ? Promise.reject(error) : Promise.resolve("done");
  };
  const result = await retrying(call, (ms) => Promise.resolve(void pauses.push(ms)))
    .catch((thrown: unknown) => thrown);
  return { result, calls, pauses };
}

const PASSING = [new DatabaseUnavailableError("away"), new TransactionConflictError("deadlock")];

for (const error of PASSING) {
  Deno.test(`retrying() does a call again after ${error.name}, up to four times`, async () => {
    for (const failures of [0, 1, 2, 3]) {
      const { result, calls, pauses } = await run(error, failures);
      assert.deepEqual([result, calls, pauses.length], ["done", failures + 1, failures]);
    }
    const { result, calls } = await run(error, 4);
    assert.deepEqual([result, calls], [error, 4]);
  });
}

Deno.test("retrying() waits longer each time, within its bounds", async () => {
  const { pauses } = await run(new DatabaseUnavailableError("away"), 4);
  for (const [at, most] of [25, 100, 400].entries()) {
    const pause = pauses[at] ?? NaN;
    assert.ok(pause >= 0 && pause <= most, `${pause} is not within ${most} ms`);
  }
});

for (const error of [new StoreError("no"), new InvalidArgumentError("no"), new TypeError("no")]) {
  Deno.test(`retrying() hands ${error.name} on at once`, async () => {
    assert.deepEqual(await run(error, 1), { result: error, calls: 1, pauses: [] });
  });
}
