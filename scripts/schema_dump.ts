/**
 * Writes `supabase/schema.sql`, the schema that the migrations make, or compares it with the file:
 * `deno task schema:dump`, `deno task schema:check`.
 */
import { diffLines } from "./diff.ts";
import { say } from "./say.ts";
import { dumpSchema } from "./schema/dump.ts";
import { readDump, SCHEMA_FILE, writeDump } from "./schema/file.ts";
import { withStack } from "./throwaway_stack.ts";

const dump = await withStack({}, ({ dbUrl }) => dumpSchema(dbUrl));
if (!Deno.args.includes("--check")) {
  await writeDump(dump);
  say(`Wrote ${SCHEMA_FILE}`);
} else {
  const changes = diffLines(await readDump(), dump);
  if (changes.length > 0) {
    say(`${SCHEMA_FILE} is not what the migrations make (- file, + migrations):\n`);
    for (const line of changes) say(line);
    say("\nIf the migrations are right: deno task schema:dump");
    Deno.exit(1);
  }
  say(`${SCHEMA_FILE} is what the migrations make`);
}
