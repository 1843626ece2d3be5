import assert from "node:assert/strict";
import type { TestDatabase } from "../../support/database.ts";
import { privateDatabase } from "../../support/private_database.ts";
import { as, insertJob } from "../../support/engine.ts";
import { ALICE } from "../../support/seed_database.ts";

const file = await privateDatabase();

/** The columns that a user may write; every other one is the engine's. */
const WRITABLE: Record<string, { insert: string[]; update: string[] }> = {
  jobs: {
    insert: [
      ...["user_id", "workflow_id", "input_data", "idempotency_key", "priority", "run_at"],
      ...["max_retries", "metadata", "trace_id"],
    ],
    update: ["metadata"],
  },
  job_inbox: { insert: ["job_id", "kind", "payload"], update: [] },
};

const columnsOf = async (db: TestDatabase, table: string): Promise<string[]> =>
  (await db`select column_name as name from information_schema.columns
    where table_schema = 'public' and table_name = ${table}`).map(({ name }) => name);

const asAlice = (db: TestDatabase, statement: string) =>
  as(db, "authenticated", ALICE, (db) => db.unsafe(statement));

for (const operation of ["insert", "update"] as const) {
  for (const [table, writable] of Object.entries(WRITABLE)) {
    file.test(`grants: a user may ${operation} only his own columns of ${table}`, async (db) => {
      const granted = await db`
        select column_name as name
        from unnest(${await columnsOf(db, table)}::text[]) as column_name
        where has_column_privilege('authenticated', ${`public.${table}`}, column_name, ${operation})`;
      assert.deepEqual(
        granted.map(({ name }) => name).sort(),
        writable[operation].toSorted(),
      );
    });
  }
}

file.test("grants: a user who inserts a job names no column of the engine", async (db) => {
  const columns = (await columnsOf(db, "jobs"))
    .filter((name) => !WRITABLE.jobs?.insert.includes(name));
  assert.ok(columns.includes("status") && columns.includes("next_run_at"));
  for (const column of columns) {
    await assert.rejects(
      asAlice(
        db,
        `insert into public.jobs (user_id, workflow_id, ${column})
         values ('${ALICE}', 'one_step', default)`,
      ),
      { code: "42501", message: "permission denied for table jobs" },
      column,
    );
  }
});

file.test("grants: a user who updates a job names no column but metadata", async (db) => {
  await insertJob(db);
  for (const column of await columnsOf(db, "jobs")) {
    const update = asAlice(db, `update public.jobs set ${column} = default`);
    if (column === "metadata") await update;
    else await assert.rejects(update, { code: "42501" }, column);
  }
});

file.test("grants: what a user may write starts a job like any other", async (db) => {
  const [job] = await as(
    db,
    "authenticated",
    ALICE,
    (db) =>
      db`insert into public.jobs (workflow_id, input_data, priority, metadata)
      values ('one_step', '{"a": 1}', 9, '{"from": "sql"}')
      returning user_id, status, workflow_version, next_run_at`,
  );
  assert.equal(job?.user_id, ALICE);
  assert.equal(job?.status, "pending");
  assert.equal(job?.workflow_version, 1);
  assert.ok(job?.next_run_at instanceof Date);
});
