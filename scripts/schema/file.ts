import { inProject } from "../place.ts";

/** The committed dump. */
export const SCHEMA_FILE = "supabase/schema.sql";

const HEADER =
  `-- The schema that supabase/migrations make, for reviewers: what a change of migrations changes in
-- the end. Written by \`deno task schema:dump\`, compared by \`deno task schema:check\`; never run.

`;

/** Reads the committed dump, without its header; empty when there is none. */
export async function readDump(): Promise<string> {
  try {
    return (await Deno.readTextFile(inProject(SCHEMA_FILE))).replace(HEADER, "");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}

/** Writes the dump that is to be committed. */
export async function writeDump(dump: string): Promise<void> {
  await Deno.writeTextFile(inProject(SCHEMA_FILE), HEADER + dump);
}
