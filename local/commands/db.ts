import postgres from "postgres";
import { needProjectStack } from "./status.ts";
import { print, say } from "./say.ts";

/** What `deno task db --help` prints. */
export const USAGE = `Usage: deno task db [SQL]

Runs the SQL on the database of the stack that runs; without, opens psql on it, or reads SQL from
standard input.`;

/**
 * `deno task db`: opens `psql` on the database of the stack that runs, or a small shell of its own
 * where there is no psql. With SQL as argument: runs it and prints what it returns.
 */
export async function db(args: string[]): Promise<number> {
  const { db_url: url } = await needProjectStack();
  if (args.length > 0) return await runOnce(url, args.join(" "));
  try {
    const psql = new Deno.Command("psql", { args: [url] }).spawn();
    Deno.addSignalListener("SIGINT", () => {}); // Ctrl-C is for psql
    return (await psql.status).code;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return Deno.stdin.isTerminal() ? await runShell(url) : await runOnce(url, await readAll());
}

async function readAll(): Promise<string> {
  return await new Response(Deno.stdin.readable).text();
}

async function runOnce(url: string, sql: string): Promise<number> {
  const connection = connect(url);
  try {
    return await show(connection, sql) ? 0 : 1;
  } finally {
    await connection.end();
  }
}

async function runShell(url: string): Promise<number> {
  say(
    `${url}\npsql is not installed: this shell runs SQL that ends with a semicolon; Ctrl-D leaves`,
  );
  const connection = connect(url);
  let sql = "";
  for (let line = prompt("=>"); line !== null; line = prompt(sql === "" ? "=>" : "->")) {
    sql += line + "\n";
    if (!sql.trimEnd().endsWith(";")) continue;
    await show(connection, sql);
    sql = "";
  }
  await connection.end();
  if (sql.trim() === "") return 0;
  say(`Not run, as it does not end with a semicolon: ${sql.trim()}`);
  return 1;
}

function connect(url: string): postgres.Sql {
  return postgres(url, { max: 1, onnotice: ({ message }) => say(`NOTICE: ${message}`) });
}

async function show(connection: postgres.Sql, sql: string): Promise<boolean> {
  try {
    const answer = await connection.unsafe(sql).simple();
    // One result for one statement, a list of them for several.
    const results = (Array.isArray(answer[0]) ? answer : [answer]) as typeof answer[];
    for (const result of results) {
      // deno-lint-ignore no-console -- a table is what was asked for
      if (result.length > 0) console.table([...result]);
      print(`${result.command ?? ""} ${result.count ?? ""}`.trim());
    }
    return true;
  } catch (error) {
    say(`ERROR: ${error instanceof Error ? error.message : error}`);
    return false;
  }
}
