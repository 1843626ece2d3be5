import assert from "node:assert/strict";
import { completed } from "../../../support/manual_engine.ts";
import { after, childrenOf, claimed, claimReplyOf, FAN, spawning } from "./families.ts";

Deno.test("Run shows children what their parent was when they were started for good", async () => {
  const { engine, parent, spawn } = await spawning(FAN);
  const [output] = spawn.request.writes.flatMap(({ steps }) => steps);
  assert.equal(output?.output, "first");
  spawn.reply({ results: [{ job_id: parent.job_id, committed: false }] });

  // Its next owner, which is the same run, has its first step done again, with another result.
  engine.run.kick("start");
  const again = { ...parent, version: parent.version + 2, redeliveries: 1 };
  const claiming = await engine.turns.next();
  assert.deepEqual(claiming.request.known_scopes, [], "the scope has not come about");
  claiming.reply(claimReplyOf(after(FAN), again));
  (await engine.turns.next()).reply(); // the redelivery is announced
  (await engine.tasks.next()).end(completed("second"));
  const started = await engine.turns.next();
  started.reply({ claimed: childrenOf(again, started) });
  const tasks = [await engine.tasks.next(), await engine.tasks.next()];
  assert.deepEqual(tasks.map(({ task }) => task.input), ["second", "second"]);
  await engine.end();
});

Deno.test("Run keeps the scope of children that it has started", async () => {
  const { engine, parent, spawn } = await spawning(FAN);
  spawn.reply({ claimed: childrenOf(parent, spawn) });
  const tasks = [await engine.tasks.next(), await engine.tasks.next()];
  assert.deepEqual(tasks.map(({ task }) => task.input), ["first", "first"]);
  engine.run.kick("start");
  const look = await engine.turns.next();
  assert.deepEqual(look.request.known_scopes, [`${parent.job_id}:fan:1:1`]);
  look.reply();
  await engine.end();
});

Deno.test("Run forgets the scope of children that it started ahead and could not make", async () => {
  const { engine, parent } = await claimed(FAN);
  const tasks = [await engine.tasks.next(), await engine.tasks.next()];
  engine.elapsed += 20;
  const turn = await engine.turns.next();
  assert.equal(turn.request.spawning.length, 1);
  engine.run.kick("start");
  turn.reply({ spawned: [{ job_id: parent.job_id, committed: false }] });
  const look = await engine.turns.next();
  assert.deepEqual(look.request.known_scopes, []);
  assert.ok(tasks.every(({ signal }) => signal.aborted));
  look.reply();
  await engine.done;
});
