import assert from "node:assert/strict";
import {
  DatabaseUnavailableError,
  StoreError,
} from "../../../../supabase/functions/_shared/store/errors.ts";
import type { ClaimedJob } from "../../../../supabase/functions/_shared/contracts/turn.ts";
import {
  aJob,
  claimReply,
  completed,
  ManualEngine,
  onlyWrite,
  T0,
  TWO_STEPS,
} from "../../../support/manual_engine.ts";
import { after, claimReplyOf, decided, FAN, WIDE } from "./families.ts";

const SLOW = {
  start_step: "one",
  steps: { one: { transformer_id: "echo", timeout_seconds: 100, next_step: null } },
};

Deno.test("Run leaves a task that it has no time for to a fresh run, which it calls", async () => {
  const engine = new ManualEngine({ config: { wallSeconds: 140, claimSeconds: 60 } });
  const quick = aJob();
  await engine.claim(quick);
  const task = await engine.tasks.next();
  engine.elapsed = 50_000; // 90 s are left
  engine.run.kick("start");
  const look = await engine.turns.next();
  const slow = aJob({ workflow_id: "slow" });
  const definitions = [{ workflow_id: "slow", version: 1, definition: SLOW }];
  look.reply({ ...claimReply(slow), definitions });

  const leaving = await engine.turns.next();
  assert.equal(onlyWrite(leaving).job.status, "pending");
  assert.equal(leaving.request.claim, 0, "it would claim in a circle what it has just left");
  assert.equal(engine.run.isAccepting, false);
  const ticked = new Promise<void>((resolve) => engine.onTick = () => Promise.resolve(resolve()));
  leaving.reply();
  await ticked; // while the other task is still out
  assert.ok(!task.signal.aborted);

  task.end(completed(1));
  (await engine.turns.next()).reply();
  (await engine.tasks.next()).end(completed(2));
  (await engine.turns.next()).reply();
  const summary = await engine.done;
  assert.equal(engine.ticks, 1);
  assert.equal(summary.completed, 1);
  assert.deepEqual(engine.tasks.left, []);
});

Deno.test("Run leaves its jobs to a fresh run once it has made its steps", async () => {
  const engine = new ManualEngine({ config: { maxSteps: 1 } });
  await engine.claim(aJob());
  (await engine.tasks.next()).end(completed(1));
  const first = await engine.turns.next();
  assert.equal(onlyWrite(first).job.status, "running");
  assert.equal(first.request.claim, 0);
  first.reply();
  const second = await engine.turns.next();
  const { job, steps } = onlyWrite(second);
  assert.deepEqual([job.status, job.current_step_id, steps], ["pending", "two", []]);
  second.reply();
  const summary = await engine.done;
  assert.equal(engine.ticks, 1);
  assert.deepEqual(
    [summary.steps, summary.completed, summary.claimed],
    [1, 0, 1],
  );
});

Deno.test("Run sends a task that fits into no run all the same", async () => {
  const engine = new ManualEngine({ config: { wallSeconds: 50, claimSeconds: 40 } });
  engine.elapsed = 30_000;
  engine.run.kick("start");
  await engine.claim(aJob());
  (await engine.tasks.next()).end(completed(1)); // 60 s, where no run has more than 50
  (await engine.turns.next()).reply();
  await engine.tasks.next();
  await engine.end();
});

Deno.test("Run stops at its wall clock and ends what is out", async () => {
  const engine = new ManualEngine();
  await engine.claim(aJob());
  const task = await engine.tasks.next();
  const summary = await engine.end();
  assert.ok(task.signal.aborted);
  assert.equal(engine.ticks, 1);
  assert.equal(summary.completed, 0);
  assert.ok(engine.lines.some(({ event, held }) => event === "run_left_jobs" && held === 1));
  // Whatever still comes of it changes nothing.
  task.end(completed(1));
  assert.deepEqual(engine.turns.left, []);
});

Deno.test("Run does not accept kicks any more in the moment when it ends", async () => {
  const engine = new ManualEngine();
  const turn = await engine.turns.next();
  assert.equal(turn.request.leaving, true);
  assert.ok(engine.run.isAccepting);
  turn.reply();
  await engine.done;
  assert.equal(engine.run.isAccepting, false);
  assert.equal(engine.ticks, 0, "nobody is called when all is done");
});

Deno.test("Run looks again for a kick that came while a turn was under way", async () => {
  const engine = new ManualEngine();
  const turn = await engine.turns.next();
  engine.run.kick("start");
  turn.reply();
  (await engine.turns.next()).reply();
  assert.equal((await engine.done).turns, 2);
});

Deno.test("Run gives up what it holds when the database is away for as long as leases hold", async () => {
  const engine = new ManualEngine({ config: { leaseSeconds: 30 } });
  const [out, done, later] = [aJob(), aJob(), aJob()];
  await engine.claim(out, done, later);
  const tasks = [await engine.tasks.next(), await engine.tasks.next(), await engine.tasks.next()];
  tasks[1]?.end(completed(1));
  const turn = await engine.turns.next();
  tasks[2]?.end(completed(2)); // its commit waits for the turn that never passes
  engine.onTick = () => Promise.reject(new DatabaseUnavailableError("away"));
  engine.elapsed += 30_000;
  turn.fail(new DatabaseUnavailableError("away"));
  const summary = await engine.done;
  assert.deepEqual([summary.completed, summary.turns], [0, 2]);
  assert.ok(tasks[0]?.signal.aborted);
  assert.deepEqual(engine.turns.left, []);
  assert.ok(engine.lines.some(({ event }) => event === "hand_over_failed"));
});

Deno.test("Run ends with the error when the database refuses to be claimed from", async () => {
  const engine = new ManualEngine();
  const refusal = new StoreError("no", "22003");
  (await engine.turns.next()).fail(refusal);
  await assert.rejects(engine.done, refusal);
  assert.equal(engine.run.isAccepting, false);
});

for (const hours of [-24, 24]) {
  Deno.test(`Run keeps its leases when its own clock is ${hours} hours off the database's`, async () => {
    const engine = new ManualEngine({ localTime: T0 + hours * 3_600_000 });
    const job = aJob();
    await engine.claim(job);
    const task = await engine.tasks.next();
    // By the clock of those who are to keep it.
    assert.ok(Math.abs(Date.parse(task.task.deadline) - Date.now() - 60_000) < 30_000);
    engine.elapsed += 10_000;
    engine.run.kick("start");
    const turn = await engine.turns.next();
    assert.deepEqual(turn.request.extend, [job.job_id]);
    turn.reply();
    task.end(completed(1));
    const commit = await engine.turns.next();
    assert.equal(onlyWrite(commit).steps[0]?.ended_at, new Date(T0 + 10_000).toISOString());
    commit.reply();
    await engine.end();
  });
}

Deno.test("Run goes on when the database's clock jumps by days", async () => {
  const engine = new ManualEngine();
  const job = aJob();
  await engine.claim(job);
  const task = await engine.tasks.next();
  engine.run.kick("cancel");
  const turn = await engine.turns.next();
  const inTwoDays = new Date(T0 + 2 * 86_400_000).toISOString();
  turn.reply({ now: inTwoDays });
  engine.run.kick("cancel");
  const next = await engine.turns.next();
  next.reply({ now: inTwoDays });
  task.end(completed(1));
  const commit = await engine.turns.next();
  assert.equal(onlyWrite(commit).steps[0]?.ended_at, inTwoDays);
  assert.ok(commit.request.claim > 0);
  commit.reply({ now: inTwoDays });
  (await engine.tasks.next()).end(completed(2));
  (await engine.turns.next()).reply({ now: inTwoDays });
  assert.equal((await engine.done).completed, 1);
});

Deno.test("Run looks when a job that it parked itself falls due, though another is out", async () => {
  const engine = new ManualEngine();
  const [retried, out] = [aJob(), aJob()];
  await engine.claim(retried, out);
  const [first] = [await engine.tasks.next(), await engine.tasks.next()];
  const error = { code: "network", message: "gone", retryable: true } as const;
  first.end({ type: "result", result: { status: "failed", error } });
  const parking = await engine.turns.next();
  assert.equal(onlyWrite(parking).job.status, "awaiting_retry");
  assert.ok(parking.request.look_ahead);
  const now = new Date(T0 + engine.elapsed).toISOString();
  parking.reply({ now, next_run_at: new Date(T0 + engine.elapsed + 3).toISOString() });
  engine.step = 1;
  const look = await engine.turns.next();
  assert.deepEqual([look.request.writes, look.request.extend], [[], []]);
  look.reply();
  await engine.end();
});

Deno.test("Run ends a job that nobody can read, once its deliveries are used up", async () => {
  const engine = new ManualEngine({ config: { maxRedeliveries: 3 } });
  const { job_id, current_step_id, retry_count } = aJob();
  const unreadable = { job_id, current_step_id, retry_count, version: 8 };
  const other = aJob();
  const first = await engine.turns.next();
  first.reply({
    ...claimReply(),
    unreadable: [
      { ...unreadable, redeliveries: 4 },
      { ...unreadable, job_id: other.job_id, redeliveries: 3 },
    ],
  });
  const second = await engine.turns.next();
  const write = onlyWrite(second);
  second.reply();
  assert.deepEqual(
    [write.job.job_id, write.job.version, write.job.status, write.job.error?.code],
    [job_id, 8, "failed", "internal"],
  );
  await engine.end();
});

/** An engine that takes on nothing any more, a task of whose one job is out. */
async function handedOver(job: ClaimedJob, definition: unknown) {
  const engine = new ManualEngine({ config: { claimSeconds: 60, wallSeconds: 1_000 } });
  (await engine.turns.next()).reply(claimReplyOf(definition, job));
  const task = await engine.tasks.next();
  engine.elapsed = 61_000;
  const ticked = new Promise<void>((resolve) => engine.onTick = () => Promise.resolve(resolve()));
  engine.run.kick("message");
  (await engine.turns.next()).reply();
  await ticked;
  return { engine, task };
}

const child = { parent_job_id: crypto.randomUUID(), parent_step_id: "sub", parent_visit: 1 };
const ONE = { start_step: "one", steps: { one: { transformer_id: "echo" } } };

for (
  const [what, job, definition, ticks] of [
    ["a child ends", aJob(child), ONE, 2],
    ["children are started", aJob({ current_step_id: "first" }), after(FAN), 2],
    ["many children are started", aJob({ current_step_id: "first" }), after(WIDE), 2],
    ["nobody waits for a job that ends", aJob(), ONE, 1],
    ["a child goes on", aJob({ ...child, current_step_id: "one" }), TWO_STEPS, 1],
  ] as const
) {
  Deno.test(`Run that takes on nothing any more calls another ${ticks - 1} times when ${what}`, async () => {
    const { engine, task } = await handedOver(job, definition);
    task.end(completed(1));
    const turn = await engine.turns.next();
    assert.equal(turn.request.claim, 0);
    assert.equal(turn.request.writes[0]?.spawn?.lease ?? false, false, "it takes none along");
    turn.reply();
    await decided();
    assert.equal(engine.ticks, ticks);
    await engine.end();
  });
}
