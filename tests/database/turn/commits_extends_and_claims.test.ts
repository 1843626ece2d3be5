import assert from "node:assert/strict";
import { turnReplySchema } from "../../../supabase/functions/_shared/contracts/turn.ts";
import { turnArgument } from "../../../supabase/functions/_shared/store/engine_store.ts";
import { privateDatabase } from "../../support/private_database.ts";
import {
  as,
  claim,
  claimOne,
  commitOf,
  completionOf,
  insertJob,
  OTHER_TOKEN,
  readJob,
  stepRecord,
  TOKEN,
  turn,
} from "../../support/engine.ts";
import { stopClock } from "../../support/seed_database.ts";

const file = await privateDatabase();
const NOW = "2030-01-01T12:00:00.000Z";

file.test("turn() commits, extends and claims in one call", async (db) => {
  await stopClock(db, NOW);
  for (let i = 0; i < 3; i++) await insertJob(db, { priority: 9 - i });
  const [done, out] = await claim(db, 2);
  if (!done || !out) assert.fail();
  await stopClock(db, "2030-01-01T12:00:20Z");
  const { p_turn } = turnArgument({
    lease_token: TOKEN,
    lease_seconds: 30,
    claim: 5,
    in_flight: 1,
    writes: [{ job: completionOf(done), steps: [], events: [], consumed: [] }],
    spawning: [],
    extend: [out.job_id],
    known_definitions: [],
    known_scopes: [],
    catalog_revision: null,
    look_ahead: true,
    leaving: false,
  });
  const reply = turnReplySchema.parse(await turn(db, p_turn as Record<string, unknown>));
  assert.deepEqual(reply.results, [{ job_id: done.job_id, committed: true }]);
  assert.deepEqual(reply.extended, { lost: [], woken: [] });
  assert.equal(reply.claimed.length, 1);
  assert.equal(new Date(reply.now).toISOString(), "2030-01-01T12:00:20.000Z");
  assert.equal(
    (await readJob(db, out.job_id)).next_run_at.toISOString(),
    "2030-01-01T12:00:50.000Z",
  );
  const [row] = await db`select * from public.orchestrators`;
  assert.deepEqual({ ...row }, {
    ...{ lease_token: TOKEN, started_at: new Date(reply.now), last_turn_at: new Date(reply.now) },
    ...{ in_flight: 2, free_slots: 4, last_batch: 2 },
  });
});

file.test("turn() can claim at once what its commit makes due", async (db) => {
  await insertJob(db);
  const job = await claimOne(db);
  const parked = commitOf(job, { status: "waiting", next_run_at: "2020-01-01T00:00:00Z" });
  const reply = await turn(db, {
    claim: 1,
    commit: { jobs: [parked], steps: [stepRecord(job)], events: [], consumed: [] },
  });
  assert.deepEqual(reply.claimed.map(({ job_id, version }) => [job_id, version]), [[
    job.job_id,
    5,
  ]]);
});

file.test("turn() tells of leases that are lost and messages that came", async (db) => {
  const mine = await insertJob(db, { priority: 9 });
  const lost = await insertJob(db);
  await claim(db, 1);
  await claim(db, 1, OTHER_TOKEN);
  await db`insert into public.job_inbox (job_id, kind) values (${mine}, 'cancel')`;
  const { extended } = await turn(db, { extend: [mine, lost] });
  assert.deepEqual(extended.lost, [lost]);
  assert.deepEqual(extended.woken.map(({ job_id, messages }) => [job_id, messages.length]), [
    [mine, 1],
  ]);
});

file.test("turn() does nothing that it is not asked for", async (db) => {
  const id = await insertJob(db);
  const before = await readJob(db, id);
  const reply = await turn(db, { commit: null, extend: [] });
  const { now: _, transformers: __, callback_secret: ___, catalog_revision: ____, ...rest } = reply;
  assert.deepEqual(rest, {
    ...{ results: [], woken: [], extended: { lost: [], woken: [] }, claimed: [], definitions: [] },
    ...{ scopes: [], spawned: [], next_run_at: null, events_left: false },
  });
  assert.deepEqual(await readJob(db, id), before);
});

file.test("turn() is all or nothing", async (db) => {
  const id = await insertJob(db);
  const job = await claimOne(db);
  await insertJob(db, { priority: 9 });
  const impossible = commitOf(job, { status: "awaiting_retry" });
  const commit = { jobs: [impossible], steps: [], events: [], consumed: [] };
  await assert.rejects(turn(db, { claim: 5, commit }), {
    constraint_name: "jobs_schedule_matches_status",
  });
  const rows = await db`select status from public.jobs where id <> ${id}`;
  assert.deepEqual(rows.map(({ status }) => status), ["pending"]);
  assert.equal((await db`select from public.orchestrators`).count, 0);
});

for (const missing of ["lease_token", "lease_seconds", "claim"]) {
  file.test(`turn() refuses an argument without ${missing} with MR008`, async (db) => {
    await assert.rejects(turn(db, { [missing]: undefined }), {
      code: "MR008",
      message: "Cannot take a turn as lease_token, lease_seconds and claim are required",
    });
  });
}

file.test("turn() works for the service role", async (db) => {
  await insertJob(db);
  const reply = await as(db, "service_role", null, (db) => turn(db, { claim: 1 }));
  assert.equal(turnReplySchema.parse(reply).claimed.length, 1);
});
