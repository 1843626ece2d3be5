import assert from "node:assert/strict";
import { startFamily } from "../../support/children.ts";
import {
  claim,
  claimOne,
  commit,
  commitOf,
  completionOf,
  hold,
  insertJob,
  OTHER_TOKEN,
  pidOf,
  readJob,
  turn,
  waitUntilBlocked,
} from "../../support/engine.ts";
import {
  deliver,
  emit,
  LONG_AGO,
  mail,
  park,
  positionOf,
  subscription,
  waitingJob,
} from "../../support/events.ts";
import { privateDatabase } from "../../support/private_database.ts";
import { ALICE, BOB, queuedCalls, setSecrets, stopClock } from "../../support/seed_database.ts";

const file = await privateDatabase();
file.test("deliver_events() puts an event into the mailbox of a job that waits for it, once", async (db) => {
  const job = await waitingJob(db);
  const id = await emit(db, { key: "7" });
  assert.equal(await deliver(db), false);
  await deliver(db);
  assert.deepEqual(await mail(db), [[job, id]]);
  const woken = await claimOne(db);
  const [message] = woken.messages;
  assert.deepEqual([message?.step_id, message?.visit], ["a", 1]);
  assert.deepEqual(message?.payload, {
    event_id: id,
    position: await positionOf(db, id),
    name: "paid",
    key: "7",
    payload: { euro: 5 },
  });
  const [event] = await db`select delivered_at is not null as done from public.events`;
  assert.equal(event?.done, true);
});

file.test("deliver_events() gives an event to all that wait for its name, or for its name and key", async (db) => {
  const any = await waitingJob(db);
  const same = await waitingJob(db, { key: "7" });
  await waitingJob(db, { key: "8" });
  await waitingJob(db, { event: "refunded" });
  const keyed = await emit(db, { key: "7" });
  const keyless = await emit(db);
  await deliver(db);
  assert.deepEqual(
    new Set((await mail(db)).map(String)),
    new Set([[any, keyed], [same, keyed], [any, keyless]].map(String)),
  );
});

file.test("deliver_events() keeps the events of a user from the jobs of others", async (db) => {
  const alices = await waitingJob(db);
  const bobs = await waitingJob(db, {}, { user_id: BOB });
  const mine = await emit(db);
  const everybodys = await emit(db, { user_id: null });
  await deliver(db);
  assert.deepEqual(
    new Set((await mail(db)).map(String)),
    new Set([[alices, mine], [alices, everybodys], [bobs, everybodys]].map(String)),
  );
});

file.test("deliver_events() gives a signal to its job and those below, however deep", async (db) => {
  const { parent, children: [child = ""] } = await startFamily(db, 1);
  const job = await claimOne(db);
  await db`update public.jobs set status = 'waiting', lease_token = null, next_run_at = null
    where id = ${job.job_id}`;
  const below = await waitingJob(db, {}, {
    ...{ parent_job_id: child, parent_step_id: "each", parent_visit: 1 },
  });
  const other = await waitingJob(db);
  const signals = [];
  for (const to of [parent, child, below, other]) signals.push(await emit(db, { job_id: to }));
  await deliver(db);
  assert.deepEqual(await mail(db), [
    ...signals.slice(0, 3).map((id) => [below, id]),
    [other, signals[3]],
  ]);
});

file.test("deliver_events() delivers in the order of the events", async (db) => {
  const job = await waitingJob(db);
  const ids = [await emit(db), await emit(db), await emit(db)];
  await deliver(db);
  assert.deepEqual(await mail(db), ids.map((id) => [job, id]));
});

file.test("deliver_events() tells when events are left", async (db) => {
  await waitingJob(db);
  await db`insert into public.events (name) select 'paid' from generate_series(1, 150)`;
  assert.equal(await deliver(db), true);
  assert.equal((await mail(db)).length, 100);
  assert.equal(await deliver(db), false);
  assert.equal((await mail(db)).length, 150);
});

file.test("deliver_events() has events that nobody waits for count as delivered", async (db) => {
  await emit(db);
  assert.equal(await deliver(db), false);
  assert.equal((await db`select from public.events where delivered_at is null`).count, 0);
});

file.test("deliver_events() drops a wait of a job that has ended", async (db) => {
  const id = await waitingJob(db);
  await db`update public.jobs set status = 'cancelled', completed_at = millrace.now()
    where id = ${id}`;
  await emit(db);
  assert.equal(await deliver(db), false);
  assert.deepEqual(await mail(db), []);
  assert.equal((await db`select from public.event_waits`).count, 0);
});

file.test("deliver_events() leaves events behind one whose job is held, in their order", async (db) => {
  const held = await waitingJob(db);
  const free = await waitingJob(db, { event: "other" });
  const before = await emit(db, { name: "other" });
  const blocked = await emit(db);
  const after = await emit(db, { name: "other" });
  await using other = file.connect();
  const release = await hold(
    other,
    (db) => db`select from public.jobs where id = ${held} for update`,
  );
  assert.equal(await deliver(db), true);
  assert.deepEqual(await mail(db), [[free, before]]);
  await release();
  assert.equal(await deliver(db), false);
  assert.deepEqual(await mail(db), [[free, before], [held, blocked], [free, after]]);
});

file.test("subscribe() gives a job the events that came before, oldest first", async (db) => {
  const ids = [await emit(db), await emit(db), await emit(db, { name: "other" })];
  await deliver(db);
  const job = await waitingJob(db);
  assert.deepEqual(await mail(db), ids.slice(0, 2).map((id) => [job, id]));
  assert.equal((await claimOne(db)).job_id, job);
});

file.test("subscribe() gives no events that were looked at, are older, of others or of another key", async (db) => {
  await stopClock(db, "2030-01-01T12:00:00Z");
  const old = await emit(db, { key: "7" });
  await stopClock(db, "2030-01-01T12:00:10Z");
  const seen = await emit(db, { key: "7" });
  await emit(db, { key: "8" });
  await emit(db, { key: "7", user_id: BOB });
  const good = await emit(db, { key: "7", user_id: null });
  await deliver(db);
  const wanted = { key: "7", after: await positionOf(db, seen), since: "2030-01-01T12:00:05Z" };
  const first = await waitingJob(db, wanted);
  assert.deepEqual(await mail(db), [[first, good]]);
  await db`delete from public.job_inbox`;
  const second = await waitingJob(db, { ...wanted, after: 0 });
  assert.deepEqual(await mail(db), [[second, seen], [second, good]]);
  await db`delete from public.job_inbox`;
  const third = await waitingJob(db, { key: "7", since: LONG_AGO });
  assert.deepEqual((await mail(db))[0], [third, old]);
});

file.test("subscribe() gives at most 100 events at once, and the rest to the next look", async (db) => {
  await db`insert into public.events (user_id, name, delivered_at, position)
    select ${ALICE}, 'paid', now(), nextval('millrace.event_positions') from generate_series(1, 150)`;
  const job = await waitingJob(db);
  const first = await mail(db);
  assert.equal(first.length, 100);
  const claimed = await claimOne(db);
  const consumed = claimed.messages.map(({ id }) => ({ job_id: job, id }));
  const more = claimed.messages.map(({ payload }) => payload["more"] === true);
  assert.deepEqual([more.indexOf(true), more.lastIndexOf(true)], [99, 99]);
  const after = await positionOf(db, Number(first.at(-1)?.[1]));
  await commit(db, [commitOf(claimed, { status: "waiting" })], {
    consumed,
    subscriptions: [subscription(claimed, { after })],
  });
  assert.equal((await mail(db)).length, 50);
});

file.test("subscribe() does nothing for a commit that was lost; unsubscribed ends the wait", async (db) => {
  await insertJob(db);
  const job = await claimOne(db);
  const parts = { subscriptions: [subscription(job)] };
  await commit(db, [commitOf(job, { status: "waiting" })], parts, OTHER_TOKEN);
  const waits = async () => (await db`select * from public.event_waits`).map((row) => ({ ...row }));
  assert.deepEqual(await waits(), []);
  await commit(db, [commitOf(job)], parts);
  assert.deepEqual(await waits(), [{
    ...{ job_id: job.job_id, user_id: ALICE, root_job_id: job.job_id },
    ...{ event: "paid", key: null, step_id: "a", visit: 1 },
  }]);
  await commit(db, [commitOf({ ...job, version: 3 })], {
    subscriptions: [subscription(job, { event: "refunded", key: "k", visit: 2 })],
  });
  const [changed] = await waits();
  assert.deepEqual([changed?.["event"], changed?.["key"], changed?.["visit"]], [
    "refunded",
    "k",
    2,
  ]);
  await commit(db, [completionOf({ ...job, version: 4 })], { unsubscribed: [job.job_id] });
  assert.deepEqual(await waits(), []);
});

file.test("an event that is emitted while a job parks is neither lost nor given twice", async (db) => {
  await insertJob(db);
  const job = await claimOne(db);
  await using other = file.connect();
  const finish = await hold(db, (db) => park(db, job));
  const id = await emit(other);
  // Whoever parks holds off the delivery.
  assert.equal(await deliver(other), true);
  await finish();
  assert.equal(await deliver(other), false);
  assert.deepEqual(await mail(db), [[job.job_id, id]]);
});

file.test("a job that parks while an event is delivered gets it, once", async (db) => {
  await insertJob(db);
  const job = await claimOne(db);
  const id = await emit(db);
  await using other = file.connect();
  await using watch = file.connect();
  const pid = await pidOf(db);
  const finish = await hold(other, (db) => deliver(db));
  const parking = park(db, job);
  await waitUntilBlocked(watch, pid);
  await finish();
  await parking;
  assert.deepEqual(await mail(db), [[job.job_id, id]]);
  assert.equal((await claimOne(db)).messages.length, 1);
});

file.test("an event whose sender commits after a job has parked reaches it", async (db) => {
  await using sender = file.connect();
  let id = 0;
  const send = await hold(sender, async (db) => id = await emit(db));
  const job = await waitingJob(db);
  assert.equal(await deliver(db), false);
  await send();
  await deliver(db);
  assert.deepEqual(await mail(db), [[job, id]]);
});

file.test("turn() delivers events before it claims, and calls nobody else for it", async (db) => {
  const job = await waitingJob(db);
  await emit(db);
  await setSecrets(db);
  const reply = await turn(db, { claim: 1 });
  assert.deepEqual(reply.claimed.map(({ job_id, messages }) => [job_id, messages.length]), [
    [job, 1],
  ]);
  assert.equal(reply.events_left, false);
  assert.deepEqual(await queuedCalls(db), []);
});

file.test("turn() tells that events are left where somebody is just parking", async (db) => {
  await waitingJob(db);
  await insertJob(db);
  const parking = await claimOne(db);
  await emit(db);
  await using other = file.connect();
  const finish = await hold(other, (db) => park(db, parking));
  const reply = await turn(db, { claim: 1 });
  await finish();
  assert.deepEqual([reply.events_left, reply.claimed.length], [true, 0]);
});

file.test("tick() counts events on their way as due work", async (db) => {
  await setSecrets(db);
  await emit(db);
  const [row] = await db`select public.tick() as reply`;
  assert.deepEqual(row?.reply, { due: 1, kicks: 1 });
});

file.test("prune_events() deletes events older than the retention, in batches", async (db) => {
  await stopClock(db, "2030-01-01T12:00:00Z");
  for (let n = 0; n < 3; n++) await emit(db);
  await stopClock(db, "2030-01-31T12:00:00Z");
  const kept = await emit(db);
  const prune = async (batch: number) =>
    (await db`select millrace.prune_events(${batch}) as deleted`)[0]?.deleted;
  assert.equal(await prune(10), 0);
  await stopClock(db, "2030-01-31T12:00:01Z");
  assert.equal(await prune(2), 2);
  assert.equal(await prune(2), 1);
  assert.deepEqual((await db`select id from public.events`).map(({ id }) => id), [kept]);
});

file.test("deliver_events() and two turns at once give each event to one delivery", async (db) => {
  const job = await waitingJob(db);
  const id = await emit(db);
  await using other = file.connect();
  const finish = await hold(other, (db) => deliver(db));
  const reply = await turn(db, {});
  assert.equal(reply.events_left, true);
  await finish();
  assert.equal((await turn(db, {})).events_left, false);
  assert.deepEqual(await mail(db), [[job, id]]);
  assert.equal((await readJob(db, job)).status, "waiting");
  assert.equal((await claim(db)).length, 1);
});

for (const order of ["before", "after"] as const) {
  file.test(`deliver_events() gives a signal to its job whatever key that waits for, ${order} it waits`, async (db) => {
    await insertJob(db, { priority: 9 });
    const job = await claimOne(db);
    const wait = () => park(db, job, { key: "7" });
    if (order === "after") await wait();
    const id = await emit(db, { job_id: job.job_id });
    await emit(db);
    await deliver(db);
    if (order === "before") await wait();
    await deliver(db);
    assert.deepEqual(await mail(db), [[job.job_id, id]]);
  });
}
