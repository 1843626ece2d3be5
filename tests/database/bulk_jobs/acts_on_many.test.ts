import assert from "node:assert/strict";
import type { TestDatabase } from "../../support/database.ts";
import { plansOf } from "../../support/plans.ts";
import { privateDatabase } from "../../support/private_database.ts";
import { as, insertJob } from "../../support/engine.ts";
import { ALICE, BOB, queuedCalls, setSecrets } from "../../support/seed_database.ts";

const file = await privateDatabase();

type Args = [action: string, filter?: unknown, limit?: number | null, dryRun?: boolean];

const bulk = async (db: TestDatabase, ...[action, filter = {}, limit = 100, dry = false]: Args) =>
  (await db`select public.bulk_jobs(${action}, ${db.json(filter as never)}, ${limit}, ${dry})
    as reply`)[0]?.reply;
const asAlice = (db: TestDatabase, ...args: Args) =>
  as(db, "authenticated", ALICE, (db) => bulk(db, ...args));

const mailbox = async (db: TestDatabase) =>
  (await db`select job_id, kind from public.job_inbox order by id`)
    .map(({ job_id, kind }) => [job_id, kind]);

const ENDED = { completed_at: "2026-01-02T00:00:00Z" };

/** One job of each status, by status. */
async function oneOfEach(db: TestDatabase): Promise<Record<string, string>> {
  const jobs: Record<string, string> = {};
  for (
    const [status, columns] of Object.entries({
      pending: {},
      awaiting_retry: { next_run_at: new Date(), next_retry_at: new Date() },
      waiting: {},
      pausing: { status: "waiting", state: db.json({ paused: true }) },
      paused: {},
      completed: ENDED,
      failed: { ...ENDED, error_message: "x", error: db.json({ code: "timeout" }) },
      cancelled: ENDED,
    })
  ) jobs[status] = await insertJob(db, { status, ...columns });
  return jobs;
}

for (
  const [action, statuses] of [
    ["cancel", ["pending", "awaiting_retry", "waiting", "pausing", "paused"]],
    ["pause", ["pending", "awaiting_retry", "waiting"]],
    ["resume", ["pausing", "paused"]],
    ["retry", ["failed", "cancelled"]],
  ] as [string, string[]][]
) {
  file.test(`bulk_jobs() ${action} leaves out jobs for which it makes no sense`, async (db) => {
    const jobs = await oneOfEach(db);
    await db`delete from public.job_inbox`;
    const expected = statuses.map((status) => jobs[status]).toSorted();
    const dry = await asAlice(db, action, {}, 100, true);
    assert.deepEqual(
      { ...dry, job_ids: dry.job_ids.toSorted() },
      { matched: expected.length, affected: 0, job_ids: expected, dry_run: true, kick: false },
    );
    assert.deepEqual(await mailbox(db), []);
    const reply = await asAlice(db, action);
    assert.deepEqual([reply.matched, reply.affected, reply.dry_run], [
      expected.length,
      expected.length,
      false,
    ]);
    assert.deepEqual(
      (await mailbox(db)).toSorted(),
      expected.map((id) => [id, action]).toSorted(),
    );
  });
}

file.test("bulk_jobs() resume undoes a pause that nobody has read yet, and the other way", async (db) => {
  const running = await insertJob(db, { status: "waiting" });
  await insertJob(db, { status: "waiting" });
  const theirs = await insertJob(db, { user_id: BOB, status: "waiting" });
  await db`select public.pause_job(${running}), public.pause_job(${theirs})`;
  assert.deepEqual((await asAlice(db, "resume")).job_ids, [running]);
  await db`update public.jobs set state = '{"paused": true}' where id = ${running}`;
  assert.equal((await asAlice(db, "pause")).matched, 2);
  const kinds = await db`select kind from public.job_inbox where job_id = ${running}`;
  assert.deepEqual(kinds.map(({ kind }) => kind), ["pause"]);
});

const FILTERS: [name: string, filter: Record<string, unknown>, expected: string[]][] = [
  ["nothing", {}, ["a", "b", "c"]],
  ["nulls", { workflow_id: null, status: null }, ["a", "b", "c"]],
  ["a status", { status: "failed" }, ["b", "c"]],
  ["several statuses", { status: ["failed", "cancelled"] }, ["a", "b", "c"]],
  ["a workflow", { workflow_id: "other" }, ["c"]],
  ["created_after", { created_after: "2026-01-02T00:00:00Z" }, ["b", "c"]],
  ["created_before", { created_before: "2026-01-02T00:00:00Z" }, ["a"]],
  ["an error code", { error_code: "timeout" }, ["b"]],
  ["metadata", { metadata: { batch: 7 } }, ["a", "c"]],
  ["all of it", { status: "failed", metadata: { batch: 7 }, workflow_id: "other" }, ["c"]],
  ["what is not there", { error_code: "x" }, []],
];

for (const [name, filter, expected] of FILTERS) {
  file.test(`bulk_jobs() finds jobs by ${name}`, async (db) => {
    await db`insert into public.workflows (id, definition)
      select 'other', definition from public.workflows`;
    const at = (day: number) => `2026-01-0${day}T00:00:00Z`;
    const ended = { completed_at: at(4) };
    const ids: Record<string, string> = {
      [
        await insertJob(db, {
          ...ended,
          status: "cancelled",
          created_at: at(1),
          metadata: db.json({ batch: 7, x: 1 }),
        })
      ]: "a",
      [
        await insertJob(db, {
          ...ended,
          status: "failed",
          created_at: at(2),
          error_message: "x",
          error: db.json({ code: "timeout" }),
        })
      ]: "b",
      [
        await insertJob(db, {
          ...ended,
          status: "failed",
          created_at: at(3),
          error_message: "x",
          workflow_id: "other",
          metadata: db.json({ batch: 7 }),
        })
      ]: "c",
    };
    const { matched, affected, job_ids } = await asAlice(db, "retry", filter);
    assert.deepEqual([matched, affected], [expected.length, expected.length]);
    assert.deepEqual(job_ids.map((id: string) => ids[id]), expected); // the oldest first
  });
}

file.test("bulk_jobs() takes the oldest up to its limit, and lists 100 of them", async (db) => {
  await db`insert into public.jobs (user_id, workflow_id, created_at)
    select ${ALICE}, 'one_step', timestamptz '2026-01-01' + n * interval '1 s'
    from generate_series(1, 150) as n`;
  const oldest = await db`select id from public.jobs order by created_at limit 120`;
  const reply = await asAlice(db, "cancel", {}, 120);
  assert.deepEqual([reply.matched, reply.affected], [150, 120]);
  assert.deepEqual(reply.job_ids, oldest.slice(0, 100).map(({ id }) => id));
  assert.deepEqual(
    (await mailbox(db)).map(([id]) => id).toSorted(),
    oldest.map(({ id }) => id).toSorted(),
  );
});

file.test("bulk_jobs() acts on roots: children follow them", async (db) => {
  const state = { waiting: { kind: "children" } };
  const root = await insertJob(db, { status: "waiting", open_children: 1, state });
  await insertJob(db, {
    parent_job_id: root,
    parent_step_id: "a",
    parent_visit: 1,
    root_job_id: root,
    depth: 1,
    workflow_version: 1,
    status: "waiting",
  });
  const { matched, job_ids } = await asAlice(db, "pause");
  assert.deepEqual([matched, job_ids], [1, [root]]);
});

file.test("bulk_jobs() of a user leaves the jobs of others alone", async (db) => {
  const mine = await insertJob(db);
  await insertJob(db, { user_id: BOB });
  assert.deepEqual((await asAlice(db, "cancel")).job_ids, [mine]);
  assert.deepEqual(await mailbox(db), [[mine, "cancel"]]);
  await assert.rejects(asAlice(db, "cancel", { user_id: BOB }), {
    code: "MR011",
    message: "Cannot act on the jobs of somebody else",
  });
});

file.test("bulk_jobs() of the service role is for everybody, or for one user", async (db) => {
  await insertJob(db);
  const theirs = await insertJob(db, { user_id: BOB });
  const asService = (filter: unknown) =>
    as(db, "service_role", null, (db) => bulk(db, "pause", filter));
  assert.deepEqual((await asService({ user_id: BOB })).job_ids, [theirs]);
  assert.equal((await asService({})).matched, 2);
});

file.test("bulk_jobs() retries in the order of the jobs, round-robin with those of others", async (db) => {
  const failed = (at: string, user_id = ALICE) =>
    insertJob(db, { user_id, status: "cancelled", created_at: at, completed_at: at });
  const first = await failed("2026-01-01T00:00:00Z");
  const second = await failed("2026-01-01T00:00:01Z");
  const theirs = await failed("2026-01-01T00:00:02Z", BOB);
  await as(db, "service_role", null, (db) => bulk(db, "retry"));
  const places = await db`select id, queue_place from public.jobs`;
  assert.deepEqual(
    Object.fromEntries(places.map(({ id, queue_place }) => [id, queue_place])),
    { [first]: 0, [second]: 1, [theirs]: 0 },
  );
});

for (const kick of [true, false]) {
  file.test(`bulk_jobs() leaves the kick to ${kick ? "the database" : "its caller"}`, async (db) => {
    await setSecrets(db);
    await insertJob(db);
    await db`delete from net.http_request_queue`;
    await db`update millrace.pulse set last_kick_at = null`;
    const [row] = await db`select public.bulk_jobs('cancel', p_kick => ${kick}) as reply`;
    assert.equal(row?.reply.kick, !kick);
    assert.equal((await queuedCalls(db)).length, kick ? 1 : 0);
  });
}

file.test("bulk_jobs() asks for no kick where it found nothing", async (db) => {
  const [row] = await db`select public.bulk_jobs('cancel', p_kick => false) as reply`;
  assert.deepEqual(row?.reply, {
    matched: 0,
    affected: 0,
    job_ids: [],
    dry_run: false,
    kick: false,
  });
});

for (
  const [name, args, message] of [
    [
      "no action of ours",
      ["stop"],
      "Cannot act in bulk as p_action must be cancel, pause, resume or retry: current value is stop",
    ],
    [
      "a limit of 0",
      ["cancel", {}, 0],
      "Cannot act in bulk as p_limit must be between 1 and 1000: current value is 0",
    ],
    [
      "no limit",
      ["cancel", {}, null],
      "Cannot act in bulk as p_limit must be between 1 and 1000: current value is null",
    ],
    [
      "more than a user may have at once",
      ["cancel", {}, 1001],
      "Cannot act in bulk as p_limit must be between 1 and 1000: current value is 1001",
    ],
    [
      "a list",
      ["cancel", []],
      "Cannot filter jobs as p_filter must be an object: current value is []",
    ],
    [
      "an unknown key",
      ["cancel", { owner: 1 }],
      "Cannot filter jobs by 'owner': use status, workflow_id, user_id, created_after, created_before, error_code and metadata",
    ],
    [
      "metadata that are none",
      ["cancel", { metadata: 1 }],
      "Cannot filter jobs as metadata must be an object: current value is 1",
    ],
    [
      "a time that is none",
      ["cancel", { created_after: "soon" }],
      'Cannot filter jobs as invalid input syntax for type timestamp with time zone: "soon"',
    ],
    ["a status that is none", ["cancel", { status: 5 }], /^Cannot filter jobs as .*array/],
  ] as [string, Args, string | RegExp][]
) {
  file.test(`bulk_jobs() refuses ${name}, MR008`, async (db) => {
    await insertJob(db);
    await assert.rejects(asAlice(db, ...args), { code: "MR008", message });
    assert.deepEqual(await mailbox(db), []);
  });
}

file.test("bulk_jobs() refuses a session without a user, MR009", async (db) => {
  await insertJob(db);
  await assert.rejects(as(db, "authenticated", null, (db) => bulk(db, "cancel")), {
    code: "MR009",
  });
});

file.test("bulk_jobs() takes 10,000 jobs of the service role, 1,000 of a user", async (db) => {
  await insertJob(db);
  const of = (limit: number) =>
    as(db, "service_role", null, (db) => bulk(db, "cancel", {}, limit, true));
  assert.equal((await of(10_000)).matched, 1);
  assert.equal((await asAlice(db, "cancel", {}, 1000, true)).matched, 1);
  await assert.rejects(of(10_001), { code: "MR008", message: /between 1 and 10000: .* 10001$/ });
});

for (const action of ["cancel", "pause"]) {
  file.test(`bulk_jobs() wakes all jobs to ${action} by one statement`, async (db) => {
    for (let n = 0; n < 20; n++) await insertJob(db);
    const plans = await plansOf(file, (db) => bulk(db, action));
    assert.equal((await mailbox(db)).length, 20);
    const [woken] = await db`select count(*) as number from public.jobs
      where wake_requested and next_run_at <= now()
        and (queue_place is null) = (${action} = 'cancel')`;
    assert.equal(woken?.number, 20);
    assert.equal(plans.filter((plan) => /update public\.jobs/.test(plan)).length, 1);
  });
}
