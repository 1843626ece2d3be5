import assert from "node:assert/strict";
import { createKicker } from "../../../../supabase/functions/_shared/api/kicker.ts";
import { createLog } from "../../../../supabase/functions/_shared/log.ts";

function setUp() {
  const calls: PromiseWithResolvers<void>[] = [];
  const works: Promise<void>[] = [];
  const lines: string[] = [];
  const kick = createKicker({
    invoke: () => {
      const call = Promise.withResolvers<void>();
      calls.push(call);
      return call.promise;
    },
    background: (work) => works.push(work),
    log: createLog({}, { write: (line) => lines.push(line) }),
  });
  return { kick, calls, works, lines };
}

Deno.test("createKicker() sends at once", () => {
  const { kick, calls } = setUp();
  kick();
  assert.equal(calls.length, 1);
});

Deno.test("createKicker() makes one more of all that come while one is on its way", async () => {
  const { kick, calls, works } = setUp();
  for (let count = 0; count < 50; count++) kick();
  assert.equal(calls.length, 1);
  calls[0]?.resolve();
  await Promise.resolve().then(() => {});
  assert.equal(calls.length, 2);
  calls[1]?.resolve();
  await Promise.all(works);
  assert.deepEqual([calls.length, works.length], [2, 1]);
  kick();
  assert.equal(calls.length, 3);
});

Deno.test("createKicker() survives a kick that fails, and says so", async () => {
  const { kick, calls, works, lines } = setUp();
  kick();
  calls[0]?.reject(new Error("refused"));
  await Promise.all(works);
  assert.match(lines.join(), /kick_failed.*refused/);
  kick();
  assert.equal(calls.length, 2);
});
