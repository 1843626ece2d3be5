import assert from "node:assert/strict";
import type { TestDatabase } from "../../support/database.ts";
import { privateDatabase } from "../../support/private_database.ts";
import { insertJob } from "../../support/engine.ts";
import { stopClock } from "../../support/seed_database.ts";

const file = await privateDatabase();

const define = (db: TestDatabase, step: string) => {
  const definition = { start_step: step, steps: { [step]: { transformer_id: "echo" } } };
  return db`update public.workflows set definition = ${db.json(definition)} where id = 'one_step'`;
};

const versions = async (db: TestDatabase) =>
  (await db`select version, start_step from public.workflow_versions order by version`)
    .map(({ version, start_step }) => [version, start_step]);

file.test("workflows: an insert is version 1, whatever the writer says", async (db) => {
  await db`insert into public.workflows (id, version, definition)
    select 'other', 7, definition from public.workflows`;
  const [row] = await db`select version from public.workflows where id = 'other'`;
  assert.equal(row?.version, 1);
});

file.test("workflows: each new definition is a version that is kept", async (db) => {
  await define(db, "b");
  await define(db, "c");
  assert.deepEqual(await versions(db), [[1, "a"], [2, "b"], [3, "c"]]);
});

file.test("workflows: the same definition again makes no version", async (db) => {
  await define(db, "a");
  await db`update public.workflows set description = 'new words', version = 9`;
  assert.deepEqual(await versions(db), [[1, "a"]]);
  const [row] = await db`select version from public.workflows`;
  assert.equal(row?.version, 1);
});

file.test("workflows: an update sets updated_at", async (db) => {
  await stopClock(db, "2031-01-01T00:00:00Z");
  await db`update public.workflows set description = 'new words'`;
  const [row] = await db`select updated_at from public.workflows`;
  assert.equal(row?.updated_at.toISOString(), "2031-01-01T00:00:00.000Z");
});

file.test("workflow_versions: a version cannot be changed", async (db) => {
  await assert.rejects(
    db`update public.workflow_versions set definition = '{"start_step": "b"}'`,
    {
      code: "MR004",
      message: "Cannot change version 1 of workflow 'one_step': versions are immutable, " +
        "update public.workflows instead",
    },
  );
});

file.test("workflows: one with jobs cannot be deleted, one without goes with its versions", async (db) => {
  const job = await insertJob(db);
  await assert.rejects(db`delete from public.workflows`, {
    code: "23503",
    constraint_name: "jobs_workflow_fk",
  });
  await db`delete from public.jobs where id = ${job}`;
  await db`delete from public.workflows`;
  assert.deepEqual(await versions(db), []);
});
