import assert from "node:assert/strict";
import { as, insertJob, TOKEN } from "../../support/engine.ts";
import { privateDatabase } from "../../support/private_database.ts";
import { ALICE, stopClock } from "../../support/seed_database.ts";

const file = await privateDatabase();

file.test("prune() deletes more than one batch of jobs and of events", async (db) => {
  await db`insert into public.jobs (user_id, workflow_id, status, created_at, completed_at)
    select ${ALICE}, 'one_step', 'completed', '2029-01-01', '2029-01-01'
    from generate_series(1, 5010)`;
  await db`insert into public.events (name) select 'paid' from generate_series(1, 5010)`;
  await stopClock(db, "2099-01-01T00:00:00Z");
  const [row] = await as(db, "service_role", null, (db) => db`select millrace.prune() as done`);
  assert.deepEqual(row?.done, { jobs: 5010, events: 5010, slots: 0 });
});

file.test("prune() deletes one family after the other that is larger than a batch", async (db) => {
  for (let n = 0; n < 3; n++) {
    const at = `2029-01-0${n + 1}T00:00:00Z`;
    const ended = { status: "completed", created_at: at, completed_at: at };
    const parent = await insertJob(db, ended);
    await db`insert into public.jobs (user_id, workflow_id, status, created_at, completed_at,
        parent_job_id, parent_step_id, parent_visit, item_index)
      select ${ALICE}, 'one_step', 'completed', ${at}, ${at}, ${parent}, 'each', 1, i
      from generate_series(0, 5000) as i`;
  }
  await stopClock(db, "2030-01-01T00:00:00Z");
  const [row] = await db`select millrace.prune() as done`;
  assert.equal(row?.done.jobs, 3);
  assert.equal((await db`select from public.jobs`).count, 0);
});

file.test("prune() forgets slots and orchestrators that died without leaving", async (db) => {
  await db`insert into public.orchestrators
    values (${TOKEN}, now(), now() - interval '61 minutes', 1, 1, 1),
      (gen_random_uuid(), now(), now() - interval '59 minutes', 1, 1, 1)`;
  await db`insert into millrace.slots (key, capacity) values ('k', 1)`;
  const [row] = await db`select millrace.prune() as done`;
  assert.deepEqual(row?.done, { jobs: 0, events: 0, slots: 1 });
  assert.equal((await db`select from public.orchestrators`).count, 1);
});
