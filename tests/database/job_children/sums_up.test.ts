import assert from "node:assert/strict";
import type { TestDatabase } from "../../support/database.ts";
import { privateDatabase } from "../../support/private_database.ts";
import { as, insertJob } from "../../support/engine.ts";
import { ALICE, BOB } from "../../support/seed_database.ts";

const file = await privateDatabase();

const childrenOf = async (db: TestDatabase, id: string, user = ALICE) =>
  (await as(
    db,
    "authenticated",
    user,
    (db) => db`select public.job_children(${id}) as reply`,
  ))[0]?.reply;

const insertChild = (db: TestDatabase, parent: string, columns: Record<string, unknown> = {}) =>
  insertJob(db, {
    parent_job_id: parent,
    parent_step_id: "each",
    parent_visit: 1,
    root_job_id: parent,
    depth: 1,
    workflow_version: 1,
    branch: "each",
    status: "waiting",
    ...columns,
  });

file.test("job_children() is null for a job without children", async (db) => {
  assert.equal(await childrenOf(db, await insertJob(db)), null);
});

file.test("job_children() counts by status and names the first that failed", async (db) => {
  const parent = await insertJob(db, { status: "waiting" });
  const error = { code: "timeout", message: "slow" };
  const failed: string[] = [];
  const completed_at = "2026-01-02T00:00:00Z";
  const created_at = "2026-01-01T00:00:00Z";
  for (let index = 11; index >= 0; index--) {
    failed.unshift(
      await insertChild(db, parent, {
        status: "failed",
        error: db.json(error),
        error_message: "slow",
        item_index: index,
        created_at,
        completed_at,
      }),
    );
  }
  await insertChild(db, parent, { status: "completed", item_index: 12, completed_at });
  await insertChild(db, parent, { item_index: 13 });
  await insertChild(db, parent, { item_index: 14 });
  assert.deepEqual(await childrenOf(db, parent), {
    total: 15,
    by_status: { failed: 12, completed: 1, waiting: 2 },
    failed: failed.slice(0, 10).map((job_id, item_index) => ({
      job_id,
      item_index,
      step_id: "each",
      branch: "each",
      error,
    })),
  });
});

file.test("job_children() does not count grandchildren", async (db) => {
  const parent = await insertJob(db, { status: "waiting" });
  const child = await insertChild(db, parent);
  await insertChild(db, child, { root_job_id: parent, depth: 2 });
  assert.equal((await childrenOf(db, parent)).total, 1);
});

file.test("job_children() tells another user nothing", async (db) => {
  const parent = await insertJob(db, { status: "waiting" });
  await insertChild(db, parent);
  assert.equal(await childrenOf(db, parent, BOB), null);
});
