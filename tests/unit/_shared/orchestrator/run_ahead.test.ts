import assert from "node:assert/strict";
import { claimed, FAN } from "./families.ts";

const { fan } = FAN.steps;
const callback = {
  start_step: "work",
  steps: { work: { transformer_id: "echo", callback: true } },
};

/** Two branches, the first of which may end by callback. */
const LATER = {
  ...FAN,
  steps: { ...FAN.steps, fan: { ...fan, branches: { ...fan.branches, left: callback } } },
};

Deno.test("Run sends no task that may end by callback before its child is durable", async () => {
  const { engine, parent } = await claimed(LATER);
  // At once: nothing has to end, and no time has to pass.
  const turn = await engine.turns.next();
  assert.deepEqual(turn.request.spawning.map(({ job }) => job.job_id), [parent.job_id]);
  assert.deepEqual(turn.request.writes, []);
  const { children = [] } = turn.request.spawning[0]?.spawn ?? {};
  const right = await engine.tasks.next();
  assert.deepEqual([right.task.job_id, right.task.token], [children[1]?.id, undefined]);
  assert.deepEqual(engine.tasks.left, []);
  turn.reply();
  const left = await engine.tasks.next();
  assert.equal(left.task.job_id, children[0]?.id);
  assert.ok(left.task.token);
  await engine.end();
});

Deno.test("Run sends no task that may end by callback for a child whose start is lost", async () => {
  const { engine, parent } = await claimed(LATER);
  const turn = await engine.turns.next();
  const right = await engine.tasks.next();
  turn.reply({ spawned: [{ job_id: parent.job_id, committed: false }] });
  await engine.done;
  assert.ok(right.signal.aborted);
  assert.deepEqual(engine.tasks.left, []);
});
