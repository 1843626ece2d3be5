import { strict as assert } from "node:assert";
import { MemoryBudget } from "../../../supabase/functions/execute-gemini-prompt/media/memory.ts";

const patient = new AbortController().signal;

/** Lets everything that can go on go on. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("MemoryBudget.acquire() lets tasks in while there is room, then in their order", async () => {
  const budget = new MemoryBudget(10);
  const order: string[] = [];
  const first = await budget.acquire(8, patient);
  const second = budget.acquire(8, patient).then((lease) => (order.push("second"), lease));
  const third = budget.acquire(1, patient).then((lease) => (order.push("third"), lease));
  await settle();
  assert.deepEqual(order, [], "a small one does not pass a large one that waits");
  first.shrinkTo(2);
  await settle();
  assert.deepEqual(order, ["second"]);
  first.release();
  await settle();
  assert.deepEqual(order, ["second", "third"]);
  (await second).release();
  (await third).release();
  (await budget.acquire(10, patient)).release();
});

Deno.test("MemoryBudget.acquire() takes more than there is as all there is", async () => {
  const budget = new MemoryBudget(10);
  const all = await budget.acquire(50, patient);
  let entered = false;
  const next = budget.acquire(1, patient).then((lease) => (entered = true, lease));
  await settle();
  assert.equal(entered, false);
  all.release();
  all.release();
  (await next).release();
  (await budget.acquire(10, patient)).release();
});

Deno.test("MemoryBudget.acquire() gives up at the deadline, and its place to the next", async () => {
  const budget = new MemoryBudget(10);
  const first = await budget.acquire(5, patient);
  const stop = new AbortController();
  const second = budget.acquire(10, stop.signal);
  const third = budget.acquire(5, patient);
  stop.abort();
  await assert.rejects(second, { code: "timeout" });
  (await third).release();
  first.release();
  (await budget.acquire(10, patient)).release();
});
