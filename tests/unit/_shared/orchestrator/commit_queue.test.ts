import assert from "node:assert/strict";
import type { JobWrite } from "../../../../supabase/functions/_shared/contracts/turn.ts";
import { CommitQueue } from "../../../../supabase/functions/_shared/orchestrator/commit_queue.ts";

function aWrite(job_id: string, status = "running"): JobWrite {
  return { job: { job_id, status }, steps: [], events: [], consumed: [] } as unknown as JobWrite;
}

function aQueue() {
  const settled = { count: 0 };
  return { settled, queue: new CommitQueue(() => settled.count++) };
}

Deno.test("take() takes all that wait and leaves nothing", async () => {
  const { queue, settled } = aQueue();
  const outcomes = [queue.add(aWrite("a")), queue.add(aWrite("b", "completed"))];
  assert.equal(queue.size, 2);
  const batch = queue.take();
  assert.equal(queue.size, 0);
  assert.deepEqual(batch.writes.map(({ job }) => job.job_id), ["a", "b"]);
  assert.equal(batch.ending, 1);
  assert.ok(batch.has("a") && !batch.has("c"));
  const later = queue.add(aWrite("a"));
  batch.settle("a", "committed");
  batch.settle("b", "lost");
  assert.deepEqual(await Promise.all(outcomes), ["committed", "lost"]);
  assert.equal(settled.count, 2);
  assert.equal(queue.size, 1);
  queue.take().settle("a", "committed");
  assert.equal(await later, "committed");
});

Deno.test("ending counts every job that the commit lets go", () => {
  const { queue } = aQueue();
  const statuses = ["running", "pending", "waiting", "awaiting_retry", "failed", "cancelled"];
  for (const [at, status] of statuses.entries()) queue.add(aWrite(`${at}`, status));
  assert.equal(queue.take().ending, 5);
});

Deno.test("settle() tells an outcome once and passes over jobs that it does not know", async () => {
  const { queue, settled } = aQueue();
  const outcome = queue.add(aWrite("a"));
  const batch = queue.take();
  batch.settle("b", "committed");
  batch.settle("a", "committed");
  batch.settle("a", "lost");
  assert.equal(await outcome, "committed");
  assert.equal(settled.count, 1);
  assert.ok(!batch.has("a"));
});

Deno.test("settleRest() counts what nothing is known of as not committed", async () => {
  const { queue, settled } = aQueue();
  const outcomes = ["a", "b", "c"].map((id) => queue.add(aWrite(id)));
  const batch = queue.take();
  batch.settle("b", "committed");
  batch.settleRest();
  batch.settleRest();
  assert.deepEqual(await Promise.all(outcomes), ["lost", "committed", "lost"]);
  assert.equal(settled.count, 3);
});

Deno.test("withdraw() takes back what waits, but not what is under way", async () => {
  const { queue, settled } = aQueue();
  const underWay = queue.add(aWrite("a"));
  const batch = queue.take();
  const waiting = queue.add(aWrite("a"));
  queue.withdraw("a");
  queue.withdraw("a");
  assert.equal(await waiting, "lost");
  assert.deepEqual([queue.size, settled.count], [0, 1]);
  batch.settle("a", "committed");
  assert.equal(await underWay, "committed");
});
