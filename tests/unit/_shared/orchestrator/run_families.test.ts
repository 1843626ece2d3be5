import assert from "node:assert/strict";
import { aJob, aMessage, completed, ManualEngine } from "../../../support/manual_engine.ts";
import {
  childrenOf,
  claimed,
  claimReplyOf,
  FAN,
  spawning,
  started,
  WIDE,
  writeOf,
} from "./families.ts";

Deno.test("Run starts children in the commit that ends the step before, and keeps their parent", async () => {
  const { engine, parent, spawn } = await spawning(FAN);
  const { job, spawn: children, steps } = writeOf(spawn, parent);
  assert.equal(job.status, "running", "the parent is kept");
  assert.equal(children?.lease, true);
  assert.deepEqual(steps.map(({ step_id }) => step_id), ["first"]);
  spawn.reply({ claimed: childrenOf(parent, spawn) });
  await engine.tasks.next();
  await engine.tasks.next();
  assert.equal(engine.calls.length, 2, "both tasks travel in one call");
  await engine.end();
});

Deno.test("Run commits the last child's end together with what its parent does next", async () => {
  const { engine, parent, left, right } = await started();
  const tasks = [await engine.tasks.next(), await engine.tasks.next()];
  for (const [i, task] of tasks.entries()) task.end(completed(`from ${i}`));

  const joining = await engine.turns.next();
  assert.equal(joining.request.writes.length, 3);
  assert.equal(writeOf(joining, left).job.status, "completed");
  assert.equal(writeOf(joining, right).job.status, "completed");
  const joined = writeOf(joining, parent);
  assert.equal(joined.job.current_step_id, "after");
  assert.equal(joined.job.status, "running");
  assert.deepEqual(joined.steps[0]?.output, { left: "from 0", right: "from 1" });
  joining.reply();

  const after = await engine.tasks.next();
  assert.deepEqual(after.task.input, { left: "from 0", right: "from 1" });
  await engine.end();
});

Deno.test("Run needs no turn of its own to start children where the parent stands at their step", async () => {
  const { engine, parent } = await claimed(FAN);
  const tasks = [await engine.tasks.next(), await engine.tasks.next()];
  assert.deepEqual(engine.turns.left, []);
  for (const task of tasks) task.end(completed(task.task.step_id));

  const turn = await engine.turns.next();
  const [first] = turn.request.spawning;
  assert.equal(first?.job.job_id, parent.job_id);
  assert.equal(first?.job.version, parent.version);
  assert.deepEqual(
    first?.spawn?.children.map(({ id }) => id),
    tasks.map(({ task }) => task.job_id),
    "the children have the ids that were sent",
  );
  assert.equal(turn.request.writes.length, 3);
  for (const { task } of tasks) assert.equal(writeOf(turn, task).job.version, 2);
  assert.equal(writeOf(turn, parent).job.version, parent.version + 1);
  assert.equal(writeOf(turn, parent).job.current_step_id, "after");
  turn.reply();
  await engine.tasks.next();
  await engine.end();
});

Deno.test("Run starts the same children again when their parent was lost before they were there", async () => {
  const { engine, parent } = await claimed(FAN);
  const before = [await engine.tasks.next(), await engine.tasks.next()];
  await engine.end();
  const again = new ManualEngine();
  const turn = await again.turns.next();
  turn.reply(claimReplyOf(FAN, { ...parent, redeliveries: 1, version: parent.version + 2 }));
  // What may have been delivered before is announced before it is delivered again.
  const announcing = await again.turns.next();
  assert.equal(announcing.request.spawning.length, 1);
  assert.deepEqual(
    announcing.request.writes.map(({ events }) => events.map(({ type }) => type)),
    [["redelivered"], ["redelivered"]],
  );
  announcing.reply();
  const keys = [await again.tasks.next(), await again.tasks.next()];
  assert.deepEqual(
    keys.map(({ task }) => task.idempotency_key),
    before.map(({ task }) => task.idempotency_key),
  );
  await again.end();
});

Deno.test("Run makes children durable that take their time", async () => {
  const { engine, parent } = await claimed(FAN);
  const [task] = [await engine.tasks.next(), await engine.tasks.next()];
  engine.elapsed += 20;
  const turn = await engine.turns.next();
  assert.equal(turn.request.spawning.length, 1);
  assert.deepEqual(turn.request.writes, []);
  turn.reply();
  task.end(completed(1));
  const ending = await engine.turns.next();
  assert.deepEqual(ending.request.writes.map(({ job }) => job.job_id), [task.task.job_id]);
  ending.reply();
  assert.equal(ending.request.spawning.length, 0);
  assert.notEqual(parent.job_id, task.task.job_id);
  await engine.end();
});

Deno.test("Run lets go of children whose start was refused", async () => {
  const { engine, parent } = await claimed(FAN);
  const [task] = [await engine.tasks.next(), await engine.tasks.next()];
  engine.elapsed += 20;
  const turn = await engine.turns.next();
  turn.reply({ spawned: [{ job_id: parent.job_id, committed: false }] });
  const summary = await engine.done;
  assert.ok(task.signal.aborted, "nobody waits for what was sent");
  assert.equal(summary.steps, 0);
});

Deno.test("Run tells a parent that is kept when the last child ends in a later turn", async () => {
  const { engine, parent, right } = await started();
  const [first, second] = [await engine.tasks.next(), await engine.tasks.next()];
  second.end(completed(2));
  const one = await engine.turns.next();
  assert.deepEqual(one.request.writes.map(({ job }) => job.job_id), [right.job_id]);
  first.end(completed(1)); // while the other's end is on its way
  one.reply();
  const joining = await engine.turns.next();
  assert.equal(joining.request.writes.length, 2);
  assert.deepEqual(writeOf(joining, parent).steps[0]?.output, { left: 1, right: 2 });
  joining.reply();
  await engine.tasks.next();
  await engine.end();
});

Deno.test("Run parks a parent one of whose children parks", async () => {
  const { engine, parent, left } = await started();
  const task = await engine.tasks.next();
  const error = { code: "timeout", message: "too slow", retryable: true } as const;
  task.end({ type: "result", result: { status: "failed", error } });
  const parking = await engine.turns.next();
  assert.equal(writeOf(parking, left).job.status, "awaiting_retry");
  const { job } = writeOf(parking, parent);
  assert.equal(job.status, "waiting");
  assert.equal(job.awaits_children, true);
  assert.equal(job.max_failed_children, 0);
  parking.reply();
  await engine.end();
});

Deno.test("Run parks a parent as soon as too many children have failed", async () => {
  const { engine, parent, left } = await started();
  const task = await engine.tasks.next();
  const error = { code: "http_4xx", message: "no", retryable: false } as const;
  task.end({ type: "result", result: { status: "failed", error } });
  const parking = await engine.turns.next();
  assert.equal(writeOf(parking, left).job.status, "failed");
  assert.equal(writeOf(parking, parent).job.status, "waiting");
  parking.reply();
  await engine.end();
});

Deno.test("Run parks a parent whose children did not all come with the commit", async () => {
  const { engine, parent, spawn } = await spawning(FAN);
  const [left] = childrenOf(parent, spawn);
  assert.ok(left);
  spawn.reply({ claimed: [left] });
  const parking = await engine.turns.next();
  assert.equal(writeOf(parking, parent).job.status, "waiting");
  parking.reply();
  await engine.tasks.next();
  await engine.end();
});

Deno.test("Run parks a parent one of whose children it has lost", async () => {
  const { engine, parent, left } = await started();
  await engine.tasks.next();
  engine.run.kick("message");
  const extension = await engine.turns.next();
  extension.reply({ extended: { lost: [left.job_id], woken: [] } });
  const parking = await engine.turns.next();
  assert.equal(writeOf(parking, parent).job.status, "waiting");
  parking.reply();
  await engine.end();
});

Deno.test("Run has the children of a cancelled parent cancelled, and parks it until they are", async () => {
  const { engine, parent } = await started();
  await engine.tasks.next();
  engine.run.kick("message");
  const extension = await engine.turns.next();
  const messages = [aMessage("cancel", { payload: { reason: "enough" } })];
  extension.reply({ extended: { lost: [], woken: [{ job_id: parent.job_id, messages }] } });
  const parking = await engine.turns.next();
  const { job, childMessage } = writeOf(parking, parent);
  assert.deepEqual(childMessage, { job_id: parent.job_id, kind: "cancel", reason: "enough" });
  assert.equal(job.status, "waiting");
  assert.equal(job.awaits_children, true);
  assert.equal(job.state.ending?.status, "cancelled");
  parking.reply();
  await engine.end();
});

Deno.test("Run leaves many children to whoever has room for them", async () => {
  const { engine, parent, spawn } = await spawning(WIDE);
  const { job, spawn: children } = writeOf(spawn, parent);
  assert.equal(job.status, "waiting");
  assert.equal(children?.lease, false);
  spawn.reply();
  await engine.end();
});

Deno.test("Run drops a job that was not given what it asked for, and goes on with one that was", async () => {
  const definition = {
    start_step: "one",
    steps: { one: { transformer_id: "echo" } },
    concurrency: { max_running: 1 },
  };
  const engine = new ManualEngine();
  const [a, b] = [aJob(), aJob()];
  const turn = await engine.turns.next();
  turn.reply(claimReplyOf(definition, a, b));
  const asking = await engine.turns.next();
  const key = `workflow:${a.workflow_id}`;
  assert.deepEqual(writeOf(asking, a).job.admission, { kind: "slot", key, capacity: 1 });
  asking.reply({
    results: [
      { job_id: a.job_id, committed: true, admitted: true },
      { job_id: b.job_id, committed: true, admitted: false },
    ],
  });
  const task = await engine.tasks.next();
  assert.equal(task.task.job_id, a.job_id);
  assert.deepEqual(engine.tasks.left, []);
  await engine.end();
});

Deno.test("Run parks a parent when the time limit of its step is over", async () => {
  const fan = { ...FAN.steps.fan, timeout_seconds: 0.001 };
  const { engine, parent, spawn } = await spawning({ ...FAN, steps: { ...FAN.steps, fan } });
  spawn.reply({ claimed: childrenOf(parent, spawn) });
  const parking = await engine.turns.next();
  const { job } = writeOf(parking, parent);
  assert.equal(job.status, "waiting");
  assert.notEqual(job.next_run_at, null);
  parking.reply();
  await engine.end();
});
