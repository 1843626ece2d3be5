import assert from "node:assert/strict";
import {
  createKicker,
  type KickReason,
} from "../../../../supabase/functions/_shared/api/kicker.ts";
import { createLog } from "../../../../supabase/functions/_shared/log.ts";

function setUp() {
  const calls: PromiseWithResolvers<void>[] = [];
  const works: Promise<void>[] = [];
  const lines: string[] = [];
  const reasons: KickReason[] = [];
  const kick = createKicker({
    invoke: (reason) => {
      reasons.push(reason);
      const call = Promise.withResolvers<void>();
      calls.push(call);
      return call.promise;
    },
    background: (work) => works.push(work),
    log: createLog({}, { write: (line) => lines.push(line) }),
  });
  return { kick, calls, works, lines, reasons };
}

Deno.test("createKicker() sends at once", () => {
  const { kick, calls } = setUp();
  kick("start");
  assert.equal(calls.length, 1);
});

Deno.test("createKicker() makes one more of all that come while one is on its way", async () => {
  const { kick, calls, works } = setUp();
  for (let count = 0; count < 50; count++) kick("start");
  assert.equal(calls.length, 1);
  calls[0]?.resolve();
  await Promise.resolve().then(() => {});
  assert.equal(calls.length, 2);
  calls[1]?.resolve();
  await Promise.all(works);
  assert.deepEqual([calls.length, works.length], [2, 1]);
  kick("start");
  assert.equal(calls.length, 3);
});

Deno.test("createKicker() survives a kick that fails, and says so", async () => {
  const { kick, calls, works, lines } = setUp();
  kick("start");
  calls[0]?.reject(new Error("refused"));
  await Promise.all(works);
  assert.match(lines.join(), /kick_failed.*refused/);
  kick("start");
  assert.equal(calls.length, 2);
});

Deno.test("createKicker() does not forget that one of the kicks was for a message", async () => {
  const { kick, calls, works, reasons } = setUp();
  kick("start");
  kick("message");
  kick("start");
  calls[0]?.resolve();
  await Promise.resolve().then(() => {});
  calls[1]?.resolve();
  await Promise.all(works);
  assert.deepEqual(reasons, ["start", "message"]);
});
