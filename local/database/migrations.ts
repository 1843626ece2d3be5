import { basename, join } from "node:path";
import postgres from "postgres";
import { StackError } from "../error.ts";
import { exists, readTextIfExists } from "../files.ts";
import { splitStatements } from "./split_statements.ts";

const FILE = /^(\d+)_(.*)\.sql$/;

/**
 * Applies the migrations of `folder` that the database has not had yet, oldest first, each in a
 * transaction of its own, and notes them where the Supabase CLI does. Returns the names of those
 * applied.
 *
 * @throws StackError that names file, line and what Postgres said; that migration left no trace
 */
export async function applyMigrations(databaseUrl: string, folder: string): Promise<string[]> {
  const db = connect(databaseUrl);
  try {
    const rows = await db`select version from supabase_migrations.schema_migrations`;
    const known = new Set(rows.map(({ version }) => version));
    const pending = (await listMigrations(folder)).filter(({ version }) => !known.has(version));
    for (const { file, version, name } of pending) {
      await applyFile(db, join(folder, file), async (run, statements) => {
        await run`insert into supabase_migrations.schema_migrations (version, name, statements)
          values (${version}, ${name}, ${statements})`;
      });
    }
    return pending.map(({ file }) => file);
  } finally {
    await db.end();
  }
}

/** Runs the seed file when there is one. @throws StackError as {@link applyMigrations} does */
export async function applySeed(databaseUrl: string, file: string): Promise<void> {
  if (!await exists(file)) return;
  const db = connect(databaseUrl);
  try {
    await applyFile(db, file, () => Promise.resolve());
  } finally {
    await db.end();
  }
}

/** The migrations of a folder in the order in which they are applied. */
export async function listMigrations(
  folder: string,
): Promise<{ file: string; version: string; name: string }[]> {
  if (!await exists(folder)) return [];
  const files = [];
  for await (const { name } of Deno.readDir(folder)) files.push(name);
  return files.sort().flatMap((file) => {
    const [, version, name] = FILE.exec(file) ?? [];
    return version === undefined || name === undefined ? [] : [{ file, version, name }];
  });
}

function connect(databaseUrl: string): postgres.Sql {
  return postgres(databaseUrl, { max: 1, onnotice: () => {}, prepare: false });
}

async function applyFile(
  db: postgres.Sql,
  path: string,
  note: (run: postgres.TransactionSql, statements: string[]) => Promise<void>,
): Promise<void> {
  const text = await readTextIfExists(path) ?? "";
  const statements = splitStatements(text);
  await db.begin(async (run) => {
    for (const statement of statements) {
      try {
        await run.unsafe(statement.text);
      } catch (error) {
        throw explain(error, path, text, statement.offset);
      }
    }
    await note(run, statements.map((statement) => statement.text));
  });
}

/** Says where in the file the error is: Postgres counts characters from the statement's start. */
function explain(error: unknown, path: string, text: string, offset: number): unknown {
  if (!(error instanceof postgres.PostgresError)) return error;
  const position = offset + Math.max(Number(error.position ?? 1) - 1, 0);
  const before = text.slice(0, position).split("\n");
  const line = before.length;
  return new StackError(
    [
      `${basename(path)}, line ${line}: ${error.message} (SQLSTATE ${error.code})`,
      `  ${line} | ${text.split("\n")[line - 1]?.trimEnd()}`,
      ...(error.detail ? [`  detail: ${error.detail}`] : []),
      ...(error.hint ? [`  hint: ${error.hint}`] : []),
      ...(error.where ? [`  where: ${error.where}`] : []),
    ].join("\n"),
  );
}
