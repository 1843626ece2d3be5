import assert from "node:assert/strict";
import type { TestDatabase } from "../../support/database.ts";
import { privateDatabase } from "../../support/private_database.ts";
import { as } from "../../support/engine.ts";
import { stopClock } from "../../support/seed_database.ts";

const file = await privateDatabase();

const revision = async (db: TestDatabase): Promise<number> =>
  (await db`select revision from millrace.catalog`)[0]?.revision;

const CHANGES: Record<string, string> = {
  insert:
    "insert into public.transformers (id, type, target_function) values ('b', 'x', 'execute-x')",
  update: "update public.transformers set config = '{\"a\": 1}'",
  delete: "delete from public.transformers where id = 'unused'",
  truncate: "truncate public.transformers",
};

for (const [name, statement] of Object.entries(CHANGES)) {
  file.test(`transformers: a statement of ${name} bumps the catalog's revision`, async (db) => {
    const before = await revision(db);
    await db.unsafe(statement);
    assert.equal(await revision(db), before + 1);
  });
}

file.test("transformers: the service role, which may not write the catalog, bumps it", async (db) => {
  const before = await revision(db);
  await as(db, "service_role", null, (db) => db`update public.transformers set batch_size = 5`);
  assert.equal(await revision(db), before + 1);
});

file.test("transformers: the new revision is seen with the change and not before", async (db) => {
  const before = await revision(db);
  await using other = file.connect();
  await db.begin(async (db) => {
    await db`update public.transformers set batch_size = 5`;
    assert.equal(await revision(other), before);
  });
  assert.equal(await revision(other), before + 1);
});

file.test("transformers: an update sets updated_at", async (db) => {
  await stopClock(db, "2031-01-01T00:00:00Z");
  await db`update public.transformers set batch_size = 5`;
  const [row] = await db`select updated_at from public.transformers`;
  assert.equal(row?.updated_at.toISOString(), "2031-01-01T00:00:00.000Z");
});
