import assert from "node:assert/strict";
import type { TestDatabase } from "../../support/database.ts";
import { claimOne, commitOf, hold, insertJob, readJob, turn } from "../../support/engine.ts";
import { deliver, emit, mail, park, positionOf, waitingJob } from "../../support/events.ts";
import { plansOf, seqScansOf } from "../../support/plans.ts";
import { privateDatabase } from "../../support/private_database.ts";
import { ALICE, BOB } from "../../support/seed_database.ts";

const file = await privateDatabase();

/** Jobs with these ids, in their order, that wait for `paid`. */
async function waitMany(db: TestDatabase, count: number, userId = ALICE): Promise<void> {
  await db`insert into public.jobs (user_id, workflow_id)
    select ${userId}, 'one_step' from generate_series(1, ${count}::integer)`;
  await db`update public.jobs set status = 'waiting', next_run_at = null, queue_place = null
    where status = 'pending'`;
  await db`insert into public.event_waits (job_id, user_id, root_job_id, event, step_id, visit)
    select id, user_id, id, 'paid', 'a', 1 from public.jobs
    on conflict do nothing`;
}

const job = (n: number) => `${n}0000000-0000-4000-8000-000000000000`;
const counts = async (db: TestDatabase) =>
  (await db`select count(*) as messages, count(distinct job_id) as jobs from public.job_inbox`)[0];

file.test("deliver_events() sends 5,000 messages at a time, also of one event", async (db) => {
  await waitMany(db, 7000);
  await emit(db);
  await emit(db);
  const left = [];
  for (let n = 0; n < 3; n++) left.push(await deliver(db));
  assert.deepEqual(left, [true, true, false]);
  assert.deepEqual({ ...await counts(db) }, { messages: 14_000, jobs: 7000 });
  const [order] = await db`select count(*) as wrong from public.job_inbox a
    join public.job_inbox b on b.job_id = a.job_id and b.id > a.id
      and (b.payload ->> 'position')::int <= (a.payload ->> 'position')::int`;
  assert.equal(order?.wrong, 0);
});

file.test("deliver_events() sends 4 MiB of payload at a time, the rest of an event later", async (db) => {
  await waitMany(db, 100);
  await emit(db, { payload: db.json("x".repeat(65_000)) });
  assert.equal(await deliver(db), true);
  assert.deepEqual({ ...await counts(db) }, { messages: 64, jobs: 64 });
  assert.equal(await deliver(db), false);
  assert.deepEqual({ ...await counts(db) }, { messages: 100, jobs: 100 });
});

/** An event has reached job 2, and not yet job 4. */
async function halfDelivered(db: TestDatabase): Promise<number> {
  for (const n of [2, 4]) await waitingJob(db, {}, { id: job(n) });
  const id = await emit(db);
  await db`update public.events set position = nextval('millrace.event_positions'),
    served_job_id = ${job(2)} where id = ${id}`;
  await db`insert into public.job_inbox (job_id, kind, step_id, visit, payload)
    values (${job(2)}, 'event', 'a', 1, ${db.json({ event_id: id })})`;
  await db`update public.jobs set next_run_at = null`;
  return id;
}

for (
  const [n, when] of [[1, "before"], [3, "after"]] as const
) {
  file.test(`subscribe() gives an event on its way once to a job ${when} those that were served`, async (db) => {
    const id = await halfDelivered(db);
    await waitingJob(db, {}, { id: job(n), priority: 9 });
    assert.equal(await deliver(db), false);
    const got = (await mail(db)).map(String).sort();
    assert.deepEqual(got, [n, 2, 4].map((n) => String([job(n), id])).sort());
  });
}

file.test("deliver_events() lets no event overtake one that is on its way to the same jobs", async (db) => {
  const first = await halfDelivered(db);
  const bobs = await waitingJob(db, {}, { user_id: BOB });
  const alices = await emit(db);
  const everybodys = await emit(db, { user_id: null });
  const bobsEvent = await emit(db, { user_id: BOB });
  await using other = file.connect();
  const release = await hold(
    other,
    (db) => db`select from public.jobs where id = ${job(4)} for update`,
  );
  assert.equal(await deliver(db), true);
  assert.deepEqual((await mail(db)).slice(1), [[bobs, bobsEvent]]);
  await release();
  assert.equal(await deliver(db), false);
  const of4 = (await mail(db)).filter(([to]) => to === job(4)).map(([, event]) => event);
  assert.deepEqual(of4, [first, alices, everybodys]);
});

file.test("deliver_events() holds back the events of a user of whom a job is held, and no other's", async (db) => {
  const [alices, bobs] = [
    await waitingJob(db, {}, { id: job(1) }),
    await waitingJob(db, {}, { id: job(2), user_id: BOB }),
  ];
  const [first, second] = [await emit(db), await emit(db)];
  const bobsEvent = await emit(db, { user_id: BOB });
  await using other = file.connect();
  const release = await hold(
    other,
    (db) => db`select from public.jobs where id = ${alices} for update`,
  );
  assert.equal(await deliver(db), true);
  assert.deepEqual(await mail(db), [[bobs, bobsEvent]]);
  await release();
  assert.equal(await deliver(db), false);
  assert.deepEqual((await mail(db)).slice(1), [[alices, first], [alices, second]]);
  assert.ok(await positionOf(db, first) > await positionOf(db, bobsEvent));
});

file.test("turn() goes on where events cannot be delivered, and says that some are left", async (db) => {
  await waitingJob(db);
  await insertJob(db, { priority: 9 });
  const running = await claimOne(db);
  await emit(db);
  await db.unsafe(`create function public.refuse() returns trigger language plpgsql
    as $$ begin raise exception 'no'; end $$;
    create trigger refuse before insert on public.job_inbox execute function public.refuse()`)
    .simple();
  try {
    const reply = await turn(db, {
      commit: { jobs: [commitOf(running, { status: "completed", final_result: {} })] },
    });
    assert.equal(reply.events_left, true);
    assert.equal((await readJob(db, running.job_id)).status, "completed");
  } finally {
    await db.unsafe("drop function public.refuse() cascade");
  }
  assert.equal((await turn(db)).events_left, false);
  assert.equal((await mail(db)).length, 1);
});

file.test("subscribe() reads none of the events of others, deliver_events() none of their waits", async (db) => {
  await db`insert into public.events (user_id, name, delivered_at, position)
    select ${BOB}, 'paid', now(), nextval('millrace.event_positions')
    from generate_series(1, 3000)`;
  await waitMany(db, 3000, BOB);
  await db`analyze public.events, public.event_waits`;
  await insertJob(db, { priority: 9, id: job(1) });
  const waiting = await claimOne(db);
  const plans = await plansOf(file, (db) => park(db, waiting));
  await emit(db);
  plans.push(...await plansOf(file, deliver));
  const large = plans.filter((plan) => /rows=\d{3,} loops|Removed by Filter: \d{3,}/.test(plan));
  assert.deepEqual(large, []);
  for (const table of ["events", "event_waits"]) assert.deepEqual(seqScansOf(plans, table), []);
  assert.deepEqual((await mail(db)).map(([to]) => to), [job(1)]);
});
