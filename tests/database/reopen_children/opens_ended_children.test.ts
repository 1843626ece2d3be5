import assert from "node:assert/strict";
import { awaitsChildren, startFamily } from "../../support/children.ts";
import type { TestDatabase } from "../../support/database.ts";
import {
  claim,
  claimOne,
  commit,
  commitOf,
  completionOf,
  insertJob,
  readJob,
} from "../../support/engine.ts";
import { plansOf } from "../../support/plans.ts";
import { privateDatabase } from "../../support/private_database.ts";
import { stopClock } from "../../support/seed_database.ts";

const file = await privateDatabase();
const NOW = "2030-01-01T12:00:00.000Z";
const ERROR = { code: "broken", message: "it broke", retryable: false, details: null };

/** A family of four of which the second and the fourth have failed, and the parent, claimed. */
async function failedFamily(db: TestDatabase, max_running = 0) {
  await stopClock(db, NOW);
  const family = await startFamily(db, 4, { max_running });
  await db`update public.jobs set max_failed_children = null where id = ${family.parent}`;
  for (;;) {
    const job = await claimOne(db);
    if (job.job_id === family.parent) return { ...family, job };
    const fails = (job.item_index ?? 0) % 2 === 1;
    await commit(db, [
      fails
        ? commitOf(job, { status: "failed", error: ERROR, retry_count: 2, redeliveries: 1 })
        : completionOf(job),
    ]);
  }
}

const reopening = (job_id: string) => ({ reopenings: [{ job_id, step_id: "each", visit: 1 }] });

file.test("reopen_children() opens those that failed, as if they had never run", async (db) => {
  const { parent, children, job } = await failedFamily(db);
  await commit(db, [awaitsChildren(job, null)], reopening(parent));
  const row = await readJob(db, parent);
  assert.deepEqual([row.open_children, row.failed_children, row.next_run_at], [2, 0, null]);
  const again = await readJob(db, children[3] ?? "");
  assert.deepEqual(
    [again.status, again.run_number, again.retry_count, again.redeliveries, again.completed_at],
    ["pending", 2, 0, 0, null],
  );
  assert.deepEqual([again.error, again.error_message, again.final_result], [null, null, null]);
  assert.deepEqual(again.next_run_at, new Date(NOW));
  const claimed = await claim(db);
  assert.deepEqual(
    claimed.map(({ item_index, messages }) => [item_index, messages.map(({ kind }) => kind)]),
    [[1, ["retry"]], [3, ["retry"]]],
  );
});

file.test("reopen_children() has the parent wait until they have ended", async (db) => {
  const { parent, job } = await failedFamily(db);
  await commit(db, [awaitsChildren(job, null)], reopening(parent));
  const again = await claim(db);
  await commit(db, again.map((child) => completionOf(child)));
  const woken = await claimOne(db);
  assert.deepEqual([woken.job_id, woken.failed_children], [parent, 0]);
  assert.deepEqual(woken.children?.map(({ status }) => status), Array(4).fill("completed"));
});

file.test("reopen_children() makes a parent due for whom none is opened", async (db) => {
  const { parent } = await startFamily(db, 1);
  await commit(db, [completionOf(await claimOne(db))]);
  const job = await claimOne(db);
  await commit(db, [awaitsChildren(job, null)], reopening(parent));
  assert.equal((await claimOne(db)).job_id, parent);
});

file.test("reopen_children() gives slots to as many as there are", async (db) => {
  const { parent, children, job } = await failedFamily(db, 1);
  await commit(db, [awaitsChildren(job, null)], reopening(parent));
  const key = `map:${parent}:each:1`;
  const [second, fourth] = await Promise.all(
    [children[1], children[3]].map((id) => readJob(db, id ?? "")),
  );
  assert.deepEqual([second?.held_slots, second?.wanted_slot], [[key], null]);
  assert.deepEqual([fourth?.held_slots, fourth?.wanted_slot], [null, key]);
  const inUse = async () => (await db`select in_use from millrace.slots`)[0]?.in_use;
  assert.equal(await inUse(), 1);
  await commit(db, [completionOf(await claimOne(db))]);
  const last = await claimOne(db);
  assert.deepEqual([last.item_index, last.messages[0]?.kind], [3, "retry"]);
  await commit(db, [completionOf(last)]);
  assert.equal(await inUse(), 0);
});

file.test("reopen_children() opens nothing for a commit that was lost", async (db) => {
  const { parent, job } = await failedFamily(db);
  await commit(db, [awaitsChildren({ ...job, version: 99 }, null)], reopening(parent));
  assert.deepEqual((await db`select from public.jobs where status = 'failed'`).count, 2);
  assert.equal((await readJob(db, parent)).failed_children, 2);
});

file.test("reopen_children() gives one place after the other, in as many look-ups for many children as for few", async (db) => {
  const { parent } = await startFamily(db, 3);
  await db`update public.jobs set status = 'failed', error_message = 'm', completed_at = now(),
    queue_place = null, next_run_at = null where parent_job_id = ${parent}`;
  await db`update public.jobs set open_children = 0, next_run_at = now() where id = ${parent}`;
  const job = await claimOne(db);
  await insertJob(db, { priority: 9, queue_place: 7 });
  const plans = await plansOf(
    file,
    (db) => commit(db, [awaitsChildren(job, null)], reopening(parent)),
  );
  assert.equal(plans.filter((plan) => plan.includes("order by j.queue_place desc")).length, 1);
  const rows = await db`select queue_place from public.jobs where parent_job_id = ${parent}
    order by item_index`;
  assert.deepEqual(rows.map(({ queue_place }) => queue_place), [8, 9, 10]);
});

file.test("reopen_children() hands on the slots that the parent holds now", async (db) => {
  const { parent, children, job } = await failedFamily(db);
  await db`insert into millrace.slots (key, capacity, in_use) values ('k', 1, 1)`;
  await db`update public.jobs set held_slots = '{k}', inherited_slots = '{outer}'
    where id = ${parent}`;
  await commit(db, [awaitsChildren(job, null)], reopening(parent));
  assert.deepEqual((await readJob(db, children[1] ?? "")).inherited_slots, ["k", "outer"]);
  assert.equal((await readJob(db, children[0] ?? "")).inherited_slots, null);
});

file.test("reopen_children() gives a whole workflow the time of its definition, also while it waits", async (db) => {
  await stopClock(db, NOW);
  await db`insert into public.workflows (id, definition) values ('timed',
    '{"start_step": "a", "timeout_seconds": 60, "steps": {"a": {"transformer_id": "echo"}}}')`;
  const { parent, children } = await startFamily(db, 2, {
    ...{ workflow_id: "timed", max_running: 1 },
    children: [{ index: 0, input: {} }, { index: 1, input: {} }],
  });
  const deadline = new Date("2030-01-01T12:01:00.000Z");
  const waiting = await readJob(db, children[1] ?? "");
  assert.deepEqual([waiting.deadline_at, waiting.next_run_at], [deadline, deadline]);
  await db`update public.jobs set max_failed_children = null where id = ${parent}`;
  for (let n = 0; n < 2; n++) {
    await commit(db, [commitOf(await claimOne(db), { status: "failed", error: ERROR })]);
  }
  const job = await claimOne(db);
  await stopClock(db, "2030-01-01T13:00:00.000Z");
  await commit(db, [awaitsChildren(job, null)], reopening(parent));
  const later = new Date("2030-01-01T13:01:00.000Z");
  const [first, second] = await Promise.all(children.map((id) => readJob(db, id)));
  assert.deepEqual([first?.deadline_at, second?.deadline_at], [later, later]);
  assert.deepEqual([second?.wanted_slot, second?.next_run_at], [`map:${parent}:each:1`, later]);
});
