import { basename, join } from "node:path";
import postgres from "postgres";
import { StackError } from "../error.ts";
import { exists } from "../files.ts";
import { splitStatements, type Statement } from "./split_statements.ts";

const FILE = /^(\d+)_(.*)\.sql$/;

/** One file of SQL statements. */
interface Script {
  path: string;
  text: string;
  statements: Statement[];
}

/** What {@link applyMigrations} found, as names of files. */
export interface MigrationReport {
  /** Those that were applied now. */
  applied: string[];
  /** Those that were applied before and have changed since, which has no effect. */
  changed: string[];
}

/**
 * Applies the migrations of `folder` that the database has not had yet, oldest first, each in a
 * transaction of its own, and notes them where the Supabase CLI does.
 *
 * @throws StackError that names file, line and what Postgres said; that migration left no trace
 */
export async function applyMigrations(
  databaseUrl: string,
  folder: string,
): Promise<MigrationReport> {
  const report: MigrationReport = { applied: [], changed: [] };
  const db = connect(databaseUrl);
  try {
    const rows = await db`select version, statements from supabase_migrations.schema_migrations`;
    const known = new Map(rows.map(({ version, statements }) => [version, statements]));
    for (const { file, version, name } of await listMigrations(folder)) {
      const script = await readScript(join(folder, file));
      const statements = script.statements.map(({ text }) => text);
      if (known.has(version)) {
        if (isOther(known.get(version), statements)) report.changed.push(file);
        continue;
      }
      await runScript(db, script, async (run) => {
        await run`insert into supabase_migrations.schema_migrations (version, name, statements)
          values (${version}, ${name}, ${statements})`;
      });
      report.applied.push(file);
    }
    return report;
  } finally {
    await db.end();
  }
}

/** Runs the seed file when there is one. @throws StackError as {@link applyMigrations} does */
export async function applySeed(databaseUrl: string, path: string): Promise<void> {
  if (!await exists(path)) return;
  const db = connect(databaseUrl);
  try {
    await runScript(db, await readScript(path));
  } finally {
    await db.end();
  }
}

async function listMigrations(folder: string) {
  if (!await exists(folder)) return [];
  const files = [];
  for await (const { name } of Deno.readDir(folder)) files.push(name);
  return files.sort().flatMap((file) => {
    const [, version, name] = FILE.exec(file) ?? [];
    return version === undefined || name === undefined ? [] : [{ file, version, name }];
  });
}

async function readScript(path: string): Promise<Script> {
  const text = await Deno.readTextFile(path);
  return { path, text, statements: splitStatements(text) };
}

function connect(databaseUrl: string): postgres.Sql {
  return postgres(databaseUrl, { max: 1, onnotice: () => {}, prepare: false });
}

/** Whether a migration is not the one that was noted; the CLI notes none of the text at times. */
function isOther(noted: string[] | null, statements: string[]): boolean {
  const normal = (list: string[]) => list.join(";").replaceAll(/[\s;]+/g, " ").trim();
  return noted !== null && noted.length > 0 && normal(noted) !== normal(statements);
}

async function runScript(
  db: postgres.Sql,
  script: Script,
  note?: (run: postgres.TransactionSql) => Promise<void>,
): Promise<void> {
  await db.begin(async (run) => {
    for (const statement of script.statements) {
      try {
        await run.unsafe(statement.text);
      } catch (error) {
        throw explain(error, script, statement);
      }
    }
    await note?.(run);
  });
}

/** Says where in the file the error is: Postgres counts characters from the statement's start. */
function explain(error: unknown, { path, text }: Script, statement: Statement): unknown {
  if (!(error instanceof postgres.PostgresError)) return error;
  const position = statement.offset + Math.max(Number(error.position ?? 1) - 1, 0);
  const line = text.slice(0, position).split("\n").length;
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
