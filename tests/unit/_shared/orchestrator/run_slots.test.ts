import assert from "node:assert/strict";
import { aJob, completed, ManualEngine } from "../../../support/manual_engine.ts";
import { after, claimReplyOf, decided, WIDE } from "./families.ts";

const EIGHT = {
  ...WIDE,
  steps: { each: { ...WIDE.steps.each, items: { $literal: [0, 1, 2, 3, 4, 5, 6, 7] } } },
};

/** An engine with 20 slots that has claimed four jobs of a definition. */
async function withParents(definition: typeof WIDE | ReturnType<typeof after>) {
  const engine = new ManualEngine({ config: { slots: 20 } });
  const parents = [1, 2, 3, 4].map(() => aJob({ current_step_id: definition.start_step }));
  (await engine.turns.next()).reply(claimReplyOf(definition, ...parents));
  return { engine, parents };
}

Deno.test("Run takes no more children along in one turn than it has slots for", async () => {
  const { engine, parents } = await withParents(after(EIGHT));
  const tasks = await Promise.all(parents.map(() => engine.tasks.next()));
  for (const task of tasks) task.end(completed("first"));
  const turn = await engine.turns.next();
  const leased = turn.request.writes.map(({ spawn }) => [spawn?.children.length, spawn?.lease]);
  // Four parents and sixteen children.
  assert.deepEqual(leased, [[8, true], [8, true], [8, false], [8, false]]);
  turn.reply();
  await engine.end();
});

Deno.test("Run starts no more children ahead than it has slots for", async () => {
  const { engine } = await withParents(EIGHT);
  const turn = await engine.turns.next();
  await decided();
  assert.equal(turn.request.spawning.length, 2);
  assert.deepEqual(
    turn.request.writes.map(({ job, spawn }) => [job.status, spawn?.lease]),
    [["waiting", false], ["waiting", false]],
  );
  assert.equal(turn.request.claim, 2, "as many as the two leave that park");
  assert.equal(engine.tasks.left.length, 16);
  turn.reply();
  await engine.end();
});
