import assert from "node:assert/strict";
import { awaitsChildren, startFamily } from "../../support/children.ts";
import type { TestDatabase } from "../../support/database.ts";
import {
  claim,
  claimOne,
  commit,
  completionOf,
  hold,
  OTHER_TOKEN,
  pidOf,
  readJob,
  TOKEN,
  waitUntilBlocked,
} from "../../support/engine.ts";
import { privateDatabase } from "../../support/private_database.ts";

const file = await privateDatabase();

const mail = async (db: TestDatabase) =>
  (await db`select j.item_index, m.kind, m.payload from public.job_inbox m
    join public.jobs j on j.id = m.job_id order by m.id`).map((row) => ({ ...row }));

/** Claims a parent that waits, for it to say something. */
async function wake(db: TestDatabase, parent: string) {
  await db`update public.jobs set next_run_at = now() - interval '1 day' where id = ${parent}`;
  const job = await claimOne(db);
  assert.equal(job.job_id, parent);
  return job;
}

file.test("tell_children() sends to the children that are open, and makes them due", async (db) => {
  const { parent, children } = await startFamily(db, 3, { max_running: 2 });
  await commit(db, [completionOf(await claimOne(db))]);
  const job = await wake(db, parent);
  await commit(db, [awaitsChildren(job, null)], {
    child_messages: [{ job_id: parent, kind: "cancel", reason: "enough" }],
  });
  const payload = { reason: "enough" };
  assert.deepEqual(
    (await mail(db)).toSorted((a, b) => a["item_index"] - b["item_index"]),
    [1, 2].map((item_index) => ({ item_index, kind: "cancel", payload })),
  );
  const told = await claim(db);
  assert.deepEqual(new Set(told.map(({ job_id }) => job_id)), new Set(children.slice(1)));
});

file.test("tell_children() sends one cancel only, and the later of pause and resume", async (db) => {
  const { parent } = await startFamily(db, 1);
  for (const kind of ["cancel", "pause", "cancel", "resume"] as const) {
    const job = await wake(db, parent);
    await commit(db, [awaitsChildren(job, null)], {
      child_messages: [{ job_id: parent, kind, reason: null }],
    });
  }
  assert.deepEqual((await mail(db)).map(({ kind }) => kind), ["cancel", "resume"]);
});

file.test("wake_job() keeps the later wish where the earlier was read already", async (db) => {
  const { parent, children } = await startFamily(db, 1);
  const send = (kind: string) =>
    db`insert into public.job_inbox (job_id, kind) values (${children[0] ?? ""}, ${kind})`;
  await send("pause");
  const child = await claimOne(db);
  await send("resume");
  const consumed = child.messages.map(({ id }) => ({ job_id: child.job_id, id }));
  const { woken } = await commit(db, [awaitsChildren(child, null, { status: "running" })], {
    consumed,
  });
  assert.deepEqual(woken[0]?.messages.map(({ kind }) => kind), ["resume"]);
  assert.equal((await readJob(db, parent)).open_children, 1);
});

file.test("tell_children() says nothing for a commit that was lost", async (db) => {
  const { parent } = await startFamily(db, 1);
  const job = await wake(db, parent);
  await commit(db, [awaitsChildren(job, null)], {
    child_messages: [{ job_id: parent, kind: "cancel", reason: null }],
  }, OTHER_TOKEN);
  assert.deepEqual(await mail(db), []);
});

file.test("tell_children() waits for a child that is just ending, and leaves it", async (db) => {
  const { parent } = await startFamily(db, 1);
  const [child] = await claim(db, 1, OTHER_TOKEN);
  if (!child) assert.fail();
  const job = await wake(db, parent);
  await using other = file.connect();
  await using watch = file.connect();
  const pid = await pidOf(db);
  const finish = await hold(other, (db) => commit(db, [completionOf(child)], {}, OTHER_TOKEN));
  const telling = commit(db, [awaitsChildren(job, null)], {
    child_messages: [{ job_id: parent, kind: "cancel", reason: null }],
  }, TOKEN);
  await waitUntilBlocked(watch, pid);
  await finish();
  assert.equal((await telling).results[0]?.committed, true);
  assert.deepEqual(await mail(db), []);
  const row = await readJob(db, parent);
  assert.deepEqual([row.open_children, row.status], [0, "waiting"]);
  assert.equal((await claimOne(db)).job_id, parent);
});

file.test("tell_children() cancels 1,000 children by as many statements as one", async (db) => {
  const { parent } = await startFamily(db, 1000);
  const job = await wake(db, parent);
  await commit(db, [awaitsChildren(job, null)], {
    child_messages: [{ job_id: parent, kind: "cancel", reason: null }],
  });
  assert.equal(
    (await claim(db, 2000)).filter(({ messages }) => messages.length === 1).length,
    1000,
  );
});
