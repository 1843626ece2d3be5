import assert from "node:assert/strict";
import { aMessage, completed } from "../../../support/manual_engine.ts";
import { decided, started, writeOf } from "./families.ts";

/** A run whose parent is to join its children, where the end of `right` was lost on its way. */
async function voided() {
  const family = await started();
  const { engine, parent, left, right } = family;
  const [first, second] = [await engine.tasks.next(), await engine.tasks.next()];
  second.end(completed(2));
  const ending = await engine.turns.next();
  first.end(completed(1));
  await decided();
  ending.reply({ results: [{ job_id: right.job_id, committed: false }] });

  const joining = await engine.turns.next();
  assert.deepEqual(joining.request.writes.map(({ job }) => job.job_id), [
    left.job_id,
    parent.job_id,
  ]);
  const { job } = writeOf(joining, parent);
  assert.deepEqual([job.current_step_id, job.joined_failures], ["after", 0]);
  const results = [
    { job_id: left.job_id, committed: true },
    { job_id: parent.job_id, committed: false },
  ];
  return { ...family, joining, results };
}

Deno.test("Run parks a parent whose join is void, as an end that it was made of was lost", async () => {
  const { engine, parent, joining, results } = await voided();
  joining.reply({ results });
  const parking = await engine.turns.next();
  assert.equal(parking.request.writes.length, 1);
  const { job, steps } = writeOf(parking, parent);
  assert.deepEqual([job.status, job.awaits_children, job.joined_failures], ["waiting", true, null]);
  assert.deepEqual([job.version, job.current_step_id, steps], [parent.version + 1, "fan", []]);
  parking.reply();
  await engine.done;
  assert.deepEqual(engine.tasks.left, []);
});

Deno.test("Run hears what came for a parent while its join was on its way and void", async () => {
  const { engine, parent, joining, results } = await voided();
  const messages = [aMessage("cancel", { payload: { reason: "enough" } })];
  joining.reply({ results, woken: [{ job_id: parent.job_id, messages }] });
  const parking = await engine.turns.next();
  const { job, consumed, childMessage } = writeOf(parking, parent);
  assert.deepEqual([job.status, job.state.ending?.status], ["waiting", "cancelled"]);
  assert.deepEqual([consumed, childMessage?.kind], [[1], "cancel"]);
  parking.reply();
  await engine.done;
});

Deno.test("Run gives a parent up whose join is void because its lease is lost", async () => {
  const { engine, parent, joining, results } = await voided();
  joining.reply({ results, extended: { lost: [parent.job_id], woken: [] } });
  await engine.done;
  assert.deepEqual([engine.turns.left, engine.tasks.left], [[], []]);
});

Deno.test("Run says with how many failed children a parent goes on", async () => {
  const { engine, parent, right } = await started();
  const [first, second] = [await engine.tasks.next(), await engine.tasks.next()];
  first.end(completed(1));
  const ending = await engine.turns.next();
  const error = { code: "http_4xx", message: "no", retryable: false } as const;
  second.end({ type: "result", result: { status: "failed", error } });
  await decided();
  ending.reply();
  const joining = await engine.turns.next();
  assert.equal(writeOf(joining, right).job.status, "failed");
  const { job } = writeOf(joining, parent);
  assert.deepEqual([job.status, job.joined_failures], ["failed", 1]);
  joining.reply();
  await engine.done;
});
