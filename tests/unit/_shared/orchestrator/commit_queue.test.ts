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

/** The jobs of one batch after the other, until nothing waits. */
function batchesOf(queue: CommitQueue): string[] {
  const batches: string[] = [];
  while (queue.size > 0) {
    const { writes } = queue.take();
    batches.push(writes.map(({ job }) => job.job_id).join(" "));
  }
  return batches;
}

function spawningWrite(job_id: string, children: number): JobWrite {
  return { ...aWrite(job_id), spawn: { children: new Array(children).fill({}) } } as JobWrite;
}

Deno.test("take() leaves what would make a turn too long to the next, in order", () => {
  const { queue } = aQueue();
  for (const id of ["a", "b", "c"]) void queue.add(spawningWrite(id, 9_000));
  void queue.add(aWrite("d"));
  assert.deepEqual(batchesOf(queue), ["a b", "c d"]);
});

Deno.test("take() takes alone what is too long for any turn", () => {
  const { queue } = aQueue();
  void queue.add(aWrite("a"));
  void queue.add(spawningWrite("b", 20_000));
  void queue.add(aWrite("c"));
  assert.deepEqual(batchesOf(queue), ["a", "b", "c"]);
});

Deno.test("take() counts children that are told or run once more, and no others", () => {
  const { queue } = aQueue();
  const tell = (id: string, part: Partial<JobWrite>) =>
    void queue.add({ ...aWrite(id), ...part }, 15_000);
  tell("told", { childMessage: {} as never });
  tell("reopened", { reopening: {} as never });
  tell("quiet", {});
  tell("silent", {});
  assert.deepEqual(batchesOf(queue), ["told", "reopened quiet silent"]);
});

Deno.test("take() takes all that start children ahead, whatever else waits", async () => {
  const { queue, settled } = aQueue();
  void queue.add(spawningWrite("a", 20_000));
  const rest = queue.add(aWrite("b"));
  const ahead = queue.addSpawn(spawningWrite("c", 16));
  const batch = queue.take();
  assert.deepEqual([batch.writes.length, batch.spawning.length, batch.has("b")], [1, 1, false]);
  batch.settleRest();
  assert.equal(await ahead, "lost");
  queue.withdraw("b");
  assert.equal(await rest, "lost");
  assert.deepEqual([queue.size, settled.count], [0, 3]);
});
