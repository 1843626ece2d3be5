import assert from "node:assert/strict";
import {
  aJob,
  aMessage,
  claimedAfter,
  claimReply,
  completed,
  ECHO,
  ManualEngine,
  onlyWrite,
  T0,
} from "../../../support/manual_engine.ts";

const FIRST = { step_id: "one", visit: 1, attempt: 1 };

Deno.test("Run reads a callback that came while its task was just being accepted", async () => {
  const engine = new ManualEngine();
  const job = aJob();
  await engine.claim(job);
  const task = await engine.tasks.next();

  engine.run.kick("message");
  const extension = await engine.turns.next();
  assert.deepEqual(extension.request.extend, [job.job_id]);
  task.end({ type: "result", result: { status: "accepted" } });
  const message = aMessage("step_result", {
    ...FIRST,
    payload: { status: "completed", output: "by callback" },
  });
  // The database has told us of the message, and will not wake the job for it again.
  extension.reply({ extended: { lost: [], woken: [{ job_id: job.job_id, messages: [message] }] } });

  const parking = await engine.turns.next();
  const parked = onlyWrite(parking);
  assert.equal(parked.job.status, "waiting");
  assert.ok(
    Date.parse(parked.job.next_run_at ?? "") <= Date.parse(job.started_at),
    `the job is to be looked at again at once, not at ${parked.job.next_run_at}`,
  );
  parking.reply({ claimed: [{ ...claimedAfter(job, parked), messages: [message] }] });

  const settling = await engine.turns.next();
  const { job: settled, steps } = onlyWrite(settling);
  assert.equal(settled.current_step_id, "two");
  assert.equal(steps[0]?.output, "by callback");
  settling.reply();
  await engine.tasks.next();
  await engine.end();
});

Deno.test("Run sends nothing for a job whose cancellation came with the last commit", async () => {
  const engine = new ManualEngine();
  const job = aJob();
  await engine.claim(job);
  const task = await engine.tasks.next();

  engine.run.kick("cancel");
  const extension = await engine.turns.next();
  task.end(completed(1));
  const messages = [aMessage("cancel", { payload: { reason: "enough" } })];
  extension.reply({ extended: { lost: [], woken: [{ job_id: job.job_id, messages }] } });

  const first = await engine.turns.next();
  assert.equal(onlyWrite(first).job.current_step_id, "two");
  first.reply();
  const second = await engine.turns.next();
  const { job: cancelled, consumed } = onlyWrite(second);
  assert.equal(cancelled.status, "cancelled");
  assert.deepEqual(consumed, [1]);
  second.reply();
  const summary = await engine.done;
  assert.deepEqual(engine.tasks.left, []);
  assert.equal(summary.calls, 1);
});

Deno.test("Run deals once with a message that it is told of twice", async () => {
  const engine = new ManualEngine();
  const job = aJob();
  await engine.claim(job);
  await engine.tasks.next();
  const late = aMessage("step_result", {
    ...{ ...FIRST, attempt: 7 },
    payload: { status: "completed", output: 1 },
  });
  const woken = [{ job_id: job.job_id, messages: [late] }];

  engine.run.kick("callback");
  (await engine.turns.next()).reply({ extended: { lost: [], woken } });
  const commit = await engine.turns.next();
  assert.deepEqual(onlyWrite(commit).consumed, [late.id]);
  commit.reply({ woken });

  engine.run.kick("callback");
  const next = await engine.turns.next();
  assert.deepEqual(next.request.writes, []);
  next.reply();
  await engine.end();
});

Deno.test("Run takes results that come while a commit of the same job is under way", async () => {
  const engine = new ManualEngine();
  const job = aJob();
  await engine.claim(job);
  const task = await engine.tasks.next();
  engine.run.kick("message");
  const extension = await engine.turns.next();
  const late = aMessage("step_result", { step_id: "one", visit: 1, attempt: 7 });
  extension.reply({ extended: { lost: [], woken: [{ job_id: job.job_id, messages: [late] }] } });

  const dropping = await engine.turns.next();
  assert.deepEqual(onlyWrite(dropping).events.map(({ type }) => type), ["late_result_dropped"]);
  task.end(completed(1));
  dropping.reply();
  const settling = await engine.turns.next();
  assert.equal(onlyWrite(settling).job.current_step_id, "two");
  assert.equal(onlyWrite(settling).job.version, job.version + 1);
  settling.reply();
  await engine.tasks.next();
  await engine.end();
});

Deno.test("Run forgets a result that waits when its own lease ran out and it claimed again", async () => {
  const engine = new ManualEngine();
  const job = aJob();
  await engine.claim(job);
  const task = await engine.tasks.next();
  engine.run.kick("start");
  const look = await engine.turns.next();
  task.end(completed("of the first delivery"));
  look.reply({ claimed: [{ ...job, version: 2, redeliveries: 1 }] });

  const turn = await engine.turns.next();
  const { job: row, steps, events } = onlyWrite(turn);
  assert.equal(row.version, 2);
  assert.deepEqual(steps, []);
  assert.deepEqual(events.map(({ type }) => type), ["redelivered"]);
  turn.reply();
  const again = await engine.tasks.next();
  assert.equal(again.task.idempotency_key, task.task.idempotency_key);
  assert.notEqual(again.task.task_id, task.task.task_id);
  assert.ok(task.signal.aborted);
  task.end(completed("too late"));
  again.end(completed("of the second delivery"));
  const last = await engine.turns.next();
  assert.equal(onlyWrite(last).steps[0]?.output, "of the second delivery");
  last.reply();
  await engine.tasks.next();
  await engine.end();
});

Deno.test("Run gives a job up when its lease is lost, with what is out and what waits", async () => {
  const engine = new ManualEngine();
  const [out, done] = [aJob(), aJob()];
  await engine.claim(out, done);
  const tasks = [await engine.tasks.next(), await engine.tasks.next()];
  engine.run.kick("cancel");
  const extension = await engine.turns.next();
  tasks[1]?.end(completed(1));
  extension.reply({ extended: { lost: [out.job_id, done.job_id], woken: [] } });
  const summary = await engine.done;
  assert.ok(tasks[0]?.signal.aborted);
  assert.deepEqual(engine.turns.left, []);
  assert.equal(summary.turns, 2);
});

Deno.test("Run drops a job whose commit came too late, and looks for others", async () => {
  const engine = new ManualEngine({ config: { slots: 1 } });
  const job = aJob();
  await engine.claim(job);
  (await engine.tasks.next()).end(completed(1));
  const turn = await engine.turns.next();
  assert.equal(turn.request.claim, 0);
  turn.reply({ results: [{ job_id: job.job_id, committed: false }] });
  // Its slots were full when it last looked: more may be due.
  const look = await engine.turns.next();
  assert.equal(look.request.claim, 1);
  assert.deepEqual(look.request.writes, []);
  look.reply();
  const summary = await engine.done;
  assert.equal(summary.completed, 0);
  assert.deepEqual(engine.tasks.left, []);
});

Deno.test("Run goes on with a job though 150 other definitions have come and gone", async () => {
  const engine = new ManualEngine({ config: { slots: 200 } });
  const job = aJob({ workflow_id: "the_slow_one" });
  await engine.claim(job);
  const task = await engine.tasks.next();
  for (let n = 0; n < 150; n++) {
    engine.run.kick("start");
    const other = aJob({ workflow_id: `w${n}` });
    const look = await engine.turns.next();
    assert.ok(look.request.known_definitions.length <= 100);
    look.reply(claimReply(other));
    await engine.tasks.next();
  }
  task.end(completed(1));
  const turn = await engine.turns.next();
  assert.equal(onlyWrite(turn).job.status, "running");
  turn.reply();
  await engine.tasks.next();
  await engine.end();
});

Deno.test("Run uses the transformers that the last turn brought", async () => {
  const engine = new ManualEngine();
  await engine.claim(aJob());
  const first = await engine.tasks.next();
  engine.run.kick("start");
  const look = await engine.turns.next();
  assert.equal(look.request.catalog_revision, 1);
  const anew = { ...ECHO, target_function: "execute-anew", config: { new: true } };
  look.reply({ catalog_revision: 2, transformers: [anew] });
  engine.run.kick("start");
  const nextLook = await engine.turns.next();
  assert.equal(nextLook.request.catalog_revision, 2);
  first.end(completed(1));
  nextLook.reply();
  (await engine.turns.next()).reply();
  const task = await engine.tasks.next();
  assert.deepEqual(task.task.config, { new: true });
  assert.deepEqual(engine.calls, ["execute-echo", "execute-anew"]);
  await engine.end();
});

Deno.test("Run hears a message once, however often the database tells of it", async () => {
  const engine = new ManualEngine();
  const job = aJob();
  await engine.claim(job);
  const task = await engine.tasks.next();
  const late = aMessage("step_result", { step_id: "one", visit: 1, attempt: 7 });
  const extended = { lost: [], woken: [{ job_id: job.job_id, messages: [late] }] };
  engine.run.kick("cancel");
  (await engine.turns.next()).reply({ extended });
  const dropping = await engine.turns.next();
  assert.deepEqual(onlyWrite(dropping).consumed, [late.id]);
  dropping.reply({ woken: extended.woken, extended });
  task.end(completed(1));
  const settling = await engine.turns.next();
  assert.deepEqual([onlyWrite(settling).consumed, onlyWrite(settling).events], [[], []]);
  settling.reply();
  await engine.tasks.next();
  await engine.end();
});

Deno.test("Run records a cancelled attempt as the one that was out when it was cancelled", async () => {
  const engine = new ManualEngine();
  const job = aJob({ input_data: "of the first step" });
  await engine.claim(job);
  const first = await engine.tasks.next();
  engine.run.kick("cancel");
  const extension = await engine.turns.next();
  first.end(completed("of the second step"));
  engine.elapsed = 1_000;
  extension.reply();
  (await engine.turns.next()).reply();
  await engine.tasks.next();
  engine.run.kick("cancel");
  const second = await engine.turns.next();
  const messages = [aMessage("cancel")];
  second.reply({ extended: { lost: [], woken: [{ job_id: job.job_id, messages }] } });
  const last = await engine.turns.next();
  const [record] = onlyWrite(last).steps;
  assert.deepEqual([record?.status, record?.step_id, record?.input], [
    "cancelled",
    "two",
    "of the second step",
  ]);
  assert.equal(record?.started_at, new Date(T0 + 1_000).toISOString());
  last.reply();
  await engine.done;
});
