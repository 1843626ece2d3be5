import assert from "node:assert/strict";
import { privateDatabase } from "../../support/private_database.ts";
import { FAULTY } from "../../unit/_shared/engine/definition/structure.ts";

const file = await privateDatabase();
const prefix = "Cannot register workflow 'faulty' as its definition is invalid: ";

for (const { name, definition, database } of FAULTY) {
  file.test(`check_workflow_definition() refuses ${name}`, async (db) => {
    await assert.rejects(
      db`insert into public.workflows (id, definition)
        values ('faulty', ${JSON.stringify(definition)}::text::jsonb)`,
      { code: "MR004", message: prefix + database.join("; ") },
    );
  });
}
