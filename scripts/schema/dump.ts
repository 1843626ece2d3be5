import postgres from "postgres";

const QUERIES = new URL("./", import.meta.url);

/**
 * Describes the schemas `public` and `millrace` of a database, and what migrations put elsewhere,
 * as SQL statements in an order that depends on nothing but names.
 */
export async function dumpSchema(databaseUrl: string): Promise<string> {
  const files = [];
  for await (const { name } of Deno.readDir(QUERIES)) {
    if (name.endsWith(".sql")) files.push(name);
  }
  const db = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  try {
    await db`set search_path = ''`; // so that every name is written with its schema
    const statements: string[] = [];
    for (const name of files.sort()) {
      const rows = await db.unsafe(await Deno.readTextFile(new URL(name, QUERIES)));
      statements.push(...rows.map((row) => String(row["statement"])));
    }
    return statements.map((statement) => `${statement}\n`).join("\n");
  } finally {
    await db.end();
  }
}
