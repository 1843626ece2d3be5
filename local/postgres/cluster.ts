import { join } from "node:path";
import postgres from "postgres";
import type { Account } from "./account.ts";
import { PostgresServer } from "./server.ts";
import { createAuthTables } from "../api/data_api.ts";
import { StackError } from "../error.ts";
import { digest, exists } from "../files.ts";
import { freePort } from "../ports.ts";

/** The superuser, as on Supabase; migrations run as `postgres`, which is none. */
export const SUPERUSER = "supabase_admin";
/** Password of every role that can log in: the one that Supabase's own local stack has. */
export const PASSWORD = "postgres";

/** Connection string of a database of the local server. */
export function databaseUrl(port: number, user: string, database = "postgres"): string {
  return `postgresql://${user}:${PASSWORD}@127.0.0.1:${port}/${database}`;
}

/** Where things lie that all data folders of a project share. */
export interface ClusterTools {
  home: string;
  binaries: string;
  account: Account | undefined;
  onLog: (line: string) => void;
}

/**
 * Makes a new data folder at `target` with the roles, schemas and extensions of an empty Supabase
 * project. It is copied from a template, which takes a tenth of the time that making one does.
 * With `durable` it is on the disk before this resolves.
 */
export async function createCluster(
  tools: ClusterTools,
  target: string,
  durable: boolean,
): Promise<void> {
  const template = await makeTemplate(tools);
  await createOwned(target, tools.account);
  await run(tools, "cp", ["-R", `${template}/.`, target]);
  if (durable) await run(tools, join(tools.binaries, "bin/initdb"), ["--sync-only", "-D", target]);
}

async function makeTemplate(tools: ClusterTools): Promise<string> {
  const sql = await Promise.all(
    ["roles.sql", "auth.sql", "pg_hba.conf"].map((name) =>
      Deno.readTextFile(new URL(name, import.meta.url))
    ),
  );
  const [roles = "", auth = "", access = ""] = sql;
  const key = await digest(tools.binaries, String(tools.account?.uid), ...sql);
  const template = join(tools.home, `template-${key}`);
  if (await exists(template)) return template;

  const draft = await Deno.makeTempDir({ dir: tools.home, prefix: ".template-" });
  await createOwned(draft, tools.account);
  await run(tools, join(tools.binaries, "bin/initdb"), [
    ...["-D", draft, "-U", SUPERUSER, "--auth=trust", "--encoding=UTF8", "--no-sync"],
    // The same order of text on every platform, with no locale of the machine involved.
    ...["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"],
  ]);
  const server = new PostgresServer({
    ...tools,
    dataFolder: draft,
    port: freePort(),
    settings: ["fsync=off"],
  });
  await server.start();
  try {
    const url = databaseUrl(server.options.port, SUPERUSER);
    const db = postgres(url, { max: 1, onnotice: () => {} });
    await db.unsafe(roles).simple();
    await createAuthTables(url);
    await db.unsafe(auth).simple();
    await db.end();
  } finally {
    await server.stop();
  }
  await Deno.writeTextFile(join(draft, "pg_hba.conf"), access);
  try {
    await Deno.rename(draft, template);
  } catch (error) {
    await Deno.remove(draft, { recursive: true });
    // Another stack was faster; its template is as good as ours.
    if (!await exists(template)) throw error;
  }
  return template;
}

async function createOwned(folder: string, account: Account | undefined): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  await Deno.chmod(folder, 0o700);
  if (account) await Deno.chown(folder, account.uid, account.gid);
}

async function run(tools: ClusterTools, command: string, args: string[]): Promise<void> {
  const { success, stderr, stdout } = await new Deno.Command(command, {
    args,
    env: { LC_ALL: "C" },
    cwd: tools.binaries,
    ...tools.account,
  }).output();
  if (success) return;
  const text = new TextDecoder().decode(stderr) + new TextDecoder().decode(stdout);
  throw new StackError(`${command} failed: ${text.trim()}`);
}
