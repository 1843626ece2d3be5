import assert from "node:assert/strict";
import { describeDueJob } from "../../local/clock/due_job.ts";
import { useClock } from "../support/clock.ts";
import { claimOne, hold, insertJob, pidOf, waitUntilBlocked } from "../support/engine.ts";
import { privateDatabase } from "../support/private_database.ts";
import { ALICE } from "../support/seed_database.ts";
import { until } from "../support/until.ts";

const file = await privateDatabase();
const HOUR_MS = 3_600_000;

file.test("VirtualClock.advance() moves millrace.now() for everybody", async (db) => {
  const clock = await useClock(db);
  await using other = file.connect();
  const read = async () => (await other`select millrace.now() as now`)[0]?.now as Date;
  const before = await read();
  assert.equal(await clock.aheadMs(), 0);

  const { from, to, due } = await clock.advance(HOUR_MS);

  assert.equal(due, 0);
  assert.ok(to.getTime() - from.getTime() > 0);
  assert.ok((await read()).getTime() >= before.getTime() + HOUR_MS);
});

file.test("VirtualClock.next() goes to the earliest job, and tells of all that are due then", async (db) => {
  const clock = await useClock(db);
  const at = new Date((await clock.now()).getTime() + HOUR_MS);
  const ids = [await insertJob(db, { run_at: at }), await insertJob(db, { run_at: at })];
  await insertJob(db, { run_at: new Date(at.getTime() + HOUR_MS) });

  const move = await clock.next();

  assert.ok(move !== undefined && move.to >= at);
  assert.ok(move.to.getTime() < at.getTime() + HOUR_MS);
  assert.equal(move.due, 2);
  assert.deepEqual(move.jobs.map(({ job_id }) => job_id).sort(), ids.sort());
});

file.test("VirtualClock.advance() names at most 20 of those that are due", async (db) => {
  const clock = await useClock(db);
  const at = new Date((await clock.now()).getTime() + HOUR_MS);
  for (let n = 0; n < 25; n++) await insertJob(db, { run_at: at });
  const { due, jobs } = await clock.advance(2 * HOUR_MS);
  assert.deepEqual([due, jobs.length], [25, 20]);
});

file.test("VirtualClock.advance() waits for jobs that are due or leased", async (db) => {
  const clock = await useClock(db);
  const id = await insertJob(db);
  const isRefused = async (reason: string) => {
    await assert.rejects(clock.advance(HOUR_MS, { waitMs: 0 }), (error: Error) => {
      assert.ok(error.message.includes(`job ${id} of one_step: ${reason}`), error.message);
      return true;
    });
  };
  await isRefused("it is to start");
  await claimOne(db);
  await isRefused("step 'a' runs, and its lease ends");
  assert.equal(await clock.aheadMs(), 0);

  const { jobs } = await clock.advance(HOUR_MS, { force: true });
  assert.deepEqual(jobs.map(describeDueJob), [
    `job ${id} of one_step: step 'a' runs, and its lease ends`,
  ]);
});

file.test("VirtualClock.advance() waits for events that are to be delivered", async (db) => {
  const clock = await useClock(db);
  await db`insert into public.events (user_id, name) values (${ALICE}, 'paid')`;
  await assert.rejects(clock.advance(HOUR_MS, { waitMs: 0 }), /events wait to be delivered/);
  await db`update public.events set delivered_at = millrace.now(), position = 1`;
  await clock.advance(HOUR_MS);
});

file.test("VirtualClock.advance() waits for transactions that have read the clock", async (db) => {
  const clock = await useClock(db);
  await using other = file.connect();
  const release = await hold(other, (sql) => sql`select millrace.now()`);
  await using watcher = file.connect();

  const pid = await pidOf(db);
  const moved = clock.advance(HOUR_MS);
  await waitUntilBlocked(watcher, pid);
  const [row] = await watcher`select ahead_ms from millrace_local.clock`;
  assert.equal(Number(row?.ahead_ms), 0);
  await release();
  assert.ok((await moved).to.getTime() > Date.now() + HOUR_MS / 2);
});

file.test("VirtualClock.advance() takes a job that starts in the meantime for under way", async (db) => {
  const clock = await useClock(db);
  await using starter = file.connect();
  let id = "";
  const release = await hold(starter, async (sql) => {
    id = await insertJob(sql);
  });
  await using watcher = file.connect();

  const pid = await pidOf(db);
  const refused = assert.rejects(clock.advance(HOUR_MS, { waitMs: 0 }), (error: Error) => {
    assert.ok(error.message.includes(`job ${id} of one_step`), error.message);
    return true;
  });
  await waitUntilBlocked(watcher, pid);
  await release();
  await refused;
  assert.equal(await clock.aheadMs(), 0);
});

file.test("VirtualClock.moveTo() does not go back", async (db) => {
  const clock = await useClock(db);
  await clock.advance(HOUR_MS);
  const ahead = await clock.aheadMs();
  await clock.moveTo(new Date(0));
  assert.equal(await clock.aheadMs(), ahead);
});

file.test("VirtualClock.next() has an orchestrator called at once", async (db) => {
  const clock = await useClock(db);
  await db`select vault.create_secret('http://127.0.0.1:9/', 'millrace_project_url'),
    vault.create_secret('sb_secret_test', 'millrace_secret_key')`;
  await insertJob(db, { run_at: new Date((await clock.now()).getTime() + HOUR_MS) });
  await db`delete from net.http_request_queue`;
  await clock.next();
  const calls = await until(async () => {
    const rows = await db`select url from net.http_request_queue`;
    return { done: rows.length > 0, value: rows };
  });
  assert.deepEqual(calls.map(({ url }) => url), [
    "http://127.0.0.1:9/functions/v1/workflow-orchestrator",
  ]);
});
