import assert from "node:assert/strict";
import { privateDatabase } from "../../support/private_database.ts";
import { insertJob } from "../../support/engine.ts";
import { at, explain, explainTests, insertChild } from "../../support/explain.ts";

const test = explainTests(await privateDatabase());

const waitsForChildren = (total: number) => ({
  waiting: { kind: "children", since: at(-60), until: null, total, tolerated: 0 },
});

test("follows the oldest open child", async (db) => {
  const parent = await insertJob(db, {
    status: "waiting",
    current_step_id: "each",
    state: db.json(waitsForChildren(3)),
    open_children: 2,
  });
  const child = (item_index: number, until: string, more: Record<string, unknown> = {}) =>
    insertChild(db, parent, {
      created_at: at(-60),
      current_step_id: "s",
      item_index,
      state: db.json({ waiting: { kind: "timer", since: at(-60), until } }),
      ...more,
    });
  await child(2, at(60));
  const oldest = await child(1, at(30));
  await child(0, at(10), { status: "completed", completed_at: at(-1) });
  const { reason, explanation, action, details } = await explain(db, parent);
  assert.deepEqual([reason, explanation, action], [
    "waits_for_children",
    `Job waits for 2 of 3 children of step 'each'; of the oldest open one, ${oldest} (item 1): Step 's' waits until 2030-01-08T12:00:30Z (in 30 s)`,
    "Nothing to do: it goes on by itself",
  ]);
  assert.deepEqual([details.open_children, details.children], [2, 3]);
  assert.deepEqual([details.child.job_id, details.child.reason], [oldest, "waits_for_timer"]);
});

test("follows the children of a parent that their orchestrator keeps", async (db) => {
  const parent = await insertJob(db, {
    status: "running",
    current_step_id: "fan",
    state: db.json(waitsForChildren(2)),
    lease_token: crypto.randomUUID(),
    next_run_at: at(20),
    open_children: 1,
  });
  await insertChild(db, parent, {
    current_step_id: "s",
    item_index: 1,
    state: db.json({ waiting: { kind: "timer", since: at(-60), until: at(60) } }),
  });
  assert.equal((await explain(db, parent)).reason, "waits_for_children");
});

test("follows children of children down to what does not move", async (db) => {
  const root = await insertJob(db, {
    status: "waiting",
    current_step_id: "each",
    state: db.json(waitsForChildren(1)),
    open_children: 1,
  });
  let parent = root;
  for (let depth = 1; depth <= 9; depth++) {
    parent = await insertChild(db, parent, {
      depth,
      root_job_id: root,
      current_step_id: "each",
      open_children: 1,
      state: db.json(waitsForChildren(1)),
    });
  }
  const leaf = await insertChild(db, parent, {
    depth: 10,
    root_job_id: root,
    status: "pending",
    run_at: null,
    wanted_slot: "workflow:w:",
  });
  await db`update public.jobs set next_run_at = null where id = ${leaf}`;
  await db`insert into millrace.slots (key, capacity, in_use) values ('workflow:w:', 2, 2)`;
  const { explanation, details } = await explain(db, root);
  assert.equal(
    explanation,
    `Job waits for 1 of 1 child of step 'each'; of the oldest open one, ${leaf}: Job waits for a slot of 'workflow:w:': 2 of 2 running, 0 jobs before it`,
  );
  assert.deepEqual([details.leaf.job_id, details.leaf.reason], [leaf, "waits_for_slot"]);
  let level = 0;
  for (let child = details.child; child !== undefined; child = child.details.child) level++;
  assert.equal(level, 10);
});

test("tells how a job is to end once its children have ended", async (db) => {
  const parent = await insertJob(db, {
    status: "waiting",
    current_step_id: "each",
    state: db.json({
      ...waitsForChildren(2),
      ending: { status: "cancelled", error: { code: "cancelled", message: "x", retryable: false } },
    }),
    open_children: 1,
  });
  await insertChild(db, parent);
  const { explanation } = await explain(db, parent);
  assert.match(
    explanation,
    /^Job ends as cancelled after the end of 1 of 2 children of step 'each'; of the oldest/,
  );
});

test("does without a child where none is open", async (db) => {
  const parent = await insertJob(db, {
    status: "waiting",
    current_step_id: "each",
    state: db.json(waitsForChildren(2)),
    open_children: 1,
  });
  const { explanation, action } = await explain(db, parent);
  assert.equal(explanation, "Job waits for 1 of 2 children of step 'each'");
  assert.equal(action, `Look at its children at GET /jobs/${parent}/children`);
});
