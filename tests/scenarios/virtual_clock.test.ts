import assert from "node:assert/strict";
import { describeDueJob } from "../../local/clock/due_job.ts";
import type { Move, VirtualClock } from "../../local/clock/virtual_clock.ts";
import { clockOf } from "../support/clock.ts";
import { oneStep, scenarios, task } from "../support/scenario.ts";

// Without the tick of pg_cron: the clock itself has what becomes due taken up. Runs linger for a
// job for so long that none is made by the passing of real time.
const test = await scenarios({
  virtualClock: true,
  cron: false,
  env: { ORCHESTRATOR_LINGER_MS: "60000" },
});

const BROKEN = { fail: { code: "network", message: "cable cut" } };
const DAY_MS = 86_400_000;

/** Moves from one due job to the next until there is none. */
async function runOut(clock: VirtualClock, limit = 50): Promise<Move[]> {
  const moves: Move[] = [];
  while (moves.length < limit) {
    const move = await clock.next();
    if (move === undefined) return moves;
    moves.push(move);
  }
  throw new Error(`Jobs still fall due after ${limit} moves`);
}

function daily(max_retries: number) {
  const retry = { strategy: "fixed", base_delay_seconds: 86_400, max_retries, jitter: "none" };
  return oneStep(task(BROKEN, { retry }));
}

test("VirtualClock.next() leads through seven daily retries", async (scenario) => {
  const clock = await clockOf(scenario.db);
  const id = await scenario.start(await scenario.workflow(daily(7)));

  const moves = await runOut(clock);

  const job = await scenario.job(id);
  assert.deepEqual([job["status"], job["error"].code], ["failed", "network"]);
  assert.deepEqual(
    moves.flatMap(({ jobs }) => jobs.map(describeDueJob)),
    [1, 2, 3, 4, 5, 6, 7].map((n) =>
      `job ${id} of ${job["workflow_id"]}: retry ${n} of step 'only', which failed with network`
    ),
  );
  const begun = (await scenario.steps(id)).map(({ started_at }) => started_at.getTime());
  assert.equal(begun.length, 8);
  for (const [i, at] of begun.entries()) {
    assert.ok(i === 0 || at - begun[i - 1] >= DAY_MS, `attempt ${i + 1} came too early`);
  }
});

test("VirtualClock.next() is undefined when nothing falls due", async (scenario) => {
  const clock = await clockOf(scenario.db);
  const before = await clock.aheadMs();
  assert.equal(await clock.next(), undefined);
  assert.equal(await clock.aheadMs(), before);
});

test("VirtualClock.next() starts a job that is to begin later", async (scenario) => {
  const clock = await clockOf(scenario.db);
  const run_at = new Date((await clock.now()).getTime() + 3 * DAY_MS);
  const workflow = await scenario.workflow(oneStep(task()));
  const id = await scenario.start(workflow, {}, { run_at: run_at.toISOString() });

  const move = await clock.next();

  assert.ok(move !== undefined && move.to >= run_at && move.from < run_at);
  assert.deepEqual(move.jobs.map(describeDueJob), [`job ${id} of ${workflow}: it is to start`]);
  const job = await scenario.ended(id);
  assert.equal(job["status"], "completed");
  assert.ok(job["started_at"] >= run_at);
});

test("VirtualClock.next() ends waits, and says which", async (scenario) => {
  const clock = await clockOf(scenario.db);
  const workflow = await scenario.workflow({
    start_step: "cool_down",
    steps: {
      cool_down: { type: "wait", seconds: 2 * 86_400, next_step: "payment" },
      payment: {
        type: "wait_for_event",
        event: "paid",
        timeout_seconds: 86_400,
        on_timeout: "callback",
      },
      callback: task({ accept: true }, {
        callback: true,
        timeout_seconds: 3_600,
        retry: { max_retries: 0 },
      }),
    },
  });
  const id = await scenario.start(workflow);

  const moves = await runOut(clock);

  assert.deepEqual(moves.flatMap(({ jobs }) => jobs.map(describeDueJob)), [
    `job ${id} of ${workflow}: step 'cool_down' has waited long enough`,
    `job ${id} of ${workflow}: step 'payment' waits for event 'paid' no longer`,
    `job ${id} of ${workflow}: step 'callback' waits for its callback no longer`,
  ]);
  const job = await scenario.job(id);
  assert.deepEqual([job["status"], job["error"].code], ["failed", "timeout"]);
});

test("VirtualClock.advance() reaches a run that lingers for a job", async (scenario) => {
  const clock = await clockOf(scenario.db);
  const retry = { strategy: "fixed", base_delay_seconds: 50, max_retries: 1, jitter: "none" };
  const id = await scenario.start(await scenario.workflow(oneStep(task([BROKEN, {}], { retry }))));
  await scenario.reaches(id, "awaiting_retry");

  const { due } = await clock.advance(DAY_MS);

  assert.equal(due, 1);
  const job = await scenario.ended(id);
  const [, second] = await scenario.steps(id);
  assert.equal(job["status"], "completed");
  assert.ok(second?.["started_at"] - job["created_at"] >= DAY_MS);
});

test("VirtualClock.advance() is one leap, stepTo() stops on the way", async (scenario) => {
  const clock = await clockOf(scenario.db);
  const workflow = await scenario.workflow(daily(20));
  const id = await scenario.start(workflow);
  await scenario.reaches(id, "awaiting_retry");

  await clock.advance(3 * DAY_MS);
  const leapt = await scenario.when(id, ({ retry_count }) => retry_count === 2);
  assert.equal(leapt["status"], "awaiting_retry");

  const to = new Date((await clock.now()).getTime() + 3.5 * DAY_MS);
  const moves = await Array.fromAsync(clock.stepTo(to));
  assert.deepEqual(moves.map(({ due }) => due), [1, 1, 1, 0]);
  assert.equal((await scenario.job(id))["retry_count"], 5);
  assert.ok(await clock.now() >= to);

  await scenario.cancel(id);
  await scenario.ended(id);
});

test("VirtualClock.advance() does not move while a job is leased", async (scenario) => {
  const clock = await clockOf(scenario.db);
  const workflow = await scenario.workflow(oneStep(task({ gate: "leased" })));
  const id = await scenario.start(workflow);
  await scenario.delivered(id);
  const before = await clock.aheadMs();

  await assert.rejects(clock.advance(DAY_MS, { waitMs: 0 }), (error: Error) => {
    assert.match(error.message, /^Cannot move the clock as work is under way/);
    assert.ok(error.message.includes(`job ${id} of ${workflow}: step 'only' runs`));
    return true;
  });
  assert.equal(await clock.aheadMs(), before);

  const advanced = clock.advance(DAY_MS);
  scenario.openGate("leased");
  await advanced;
  assert.equal((await scenario.job(id))["status"], "completed");
  assert.equal((await scenario.steps(id))[0]?.["redeliveries"], 0);
});

test("VirtualClock.moveTo() by force ends leases, and no result is lost by it", async (scenario) => {
  const clock = await clockOf(scenario.db);
  const workflow = await scenario.workflow(oneStep(task([{ gate: "forced" }, {}])));
  const id = await scenario.start(workflow);
  await scenario.delivered(id);
  const to = new Date((await clock.now()).getTime() + DAY_MS);

  const move = await clock.moveTo(to, { force: true });

  assert.ok(move.to >= to && move.from < to);
  assert.deepEqual(move.jobs.map(describeDueJob), [
    `job ${id} of ${workflow}: step 'only' runs, and its lease ends`,
  ]);
  scenario.openGate("forced");
  assert.equal((await scenario.ended(id))["status"], "completed");
  assert.equal((await scenario.steps(id)).length, 1);
});
