import assert from "node:assert/strict";
import postgres from "postgres";
import { openDatabase } from "../support/database.ts";
import { testStack } from "../support/stack.ts";
import { createUser } from "../support/user.ts";
import { blocksOf, readPages } from "./pages.ts";

const stack = await testStack();

/** Undoes what a page's statements did. */
class RollBack extends Error {}

for (const page of await readPages()) {
  const blocks = blocksOf(page).filter(({ info }) => info === "sql run");
  if (blocks.length === 0) continue;
  // In one transaction per page, as later statements build on earlier ones.
  Deno.test(`SQL of ${page.path} runs`, async () => {
    await createUser(stack);
    await using db = openDatabase(stack);
    const run = db.begin(async (transaction) => {
      for (const { code, line } of blocks) {
        try {
          await transaction.unsafe(code).simple();
        } catch (error) {
          if (!(error instanceof postgres.PostgresError)) throw error;
          assert.fail(`${page.path}:${line}: ${error.message}`);
        }
      }
      throw new RollBack();
    });
    await assert.rejects(run, RollBack);
  });
}
