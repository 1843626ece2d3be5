/**
 * What a hosted project would say, by the real Supabase CLI on an empty database: pushes all
 * migrations and the seed, compares what they made with the schema dump, and runs the advisors.
 * `deno task cli:check`; needs npx.
 */
import { join } from "node:path";
import { z } from "zod";
import { judgeAdvice } from "./advisors.ts";
import { diffLines } from "./diff.ts";
import { finish } from "./finish.ts";
import { inProject } from "./place.ts";
import { passSignalsOn, run } from "./run.ts";
import { say } from "./say.ts";
import { dumpSchema } from "./schema/dump.ts";
import { readDump, SCHEMA_FILE } from "./schema/file.ts";
import type { Tally } from "./tally.ts";
import { withStack } from "./throwaway_stack.ts";

const CLI = "supabase@3.1.0";

/** The CLI could not do what it was asked for. */
class CliError extends Error {
  override readonly name = "CliError";
}

const pushed = z.object({ seeds: z.array(z.string()) });
const listed = z.object({
  migrations: z.array(z.object({ local: z.string(), remote: z.string() })),
});
const advice = z.object({
  results: z.array(z.object({ level: z.string(), detail: z.string(), cacheKey: z.string() })),
});

passSignalsOn();
const tally: Tally = { passed: 0, failed: 0, skipped: 0 };
const nothing = await Deno.makeTempDir({ prefix: "millrace-no-migrations-" });
try {
  const migrationsDir = join(nothing, "migrations");
  await Deno.mkdir(migrationsDir);
  await withStack({ migrationsDir }, check);
} catch (error) {
  if (!(error instanceof CliError)) throw error;
  say(error.message);
  tally.failed++;
} finally {
  await Deno.remove(nothing, { recursive: true });
}
await finish(tally);
Deno.exit(tally.failed > 0 ? 1 : 0);

async function check({ dbUrl }: { dbUrl: string }): Promise<void> {
  const remote = `--remote=${dbUrl}?sslmode=disable`;

  const push = await cli(["db", "push", remote, "--include-seed", "--yes"]);
  const { seeds } = pushed.parse(push);
  report("db push applies all migrations and the seed", seeds.length === 1);

  const { migrations } = listed.parse(await cli(["migration", "list", remote]));
  const missing = migrations.filter(({ local, remote }) => local !== remote);
  for (const { local, remote } of missing) say(`  here '${local}', there '${remote}'`);
  report("migration list: here and there are the same", missing.length === 0);

  const changes = diffLines(await readDump(), await dumpSchema(dbUrl));
  for (const line of changes) say(`  ${line}`);
  report(`what the CLI made is ${SCHEMA_FILE}`, changes.length === 0);

  const { results } = advice.parse(await cli(["db", "advisors", remote, "--level=info"]));
  const faults = judgeAdvice(results, await allowed());
  for (const fault of faults) say(`  ${fault}`);
  report("advisors find nothing that is not explained", faults.length === 0);
}

/** Runs the CLI and parses what it answers. @throws CliError when it fails */
async function cli(args: string[]): Promise<unknown> {
  const { code, stdout, stderr } = await run("npx", [
    ...["-y", CLI, ...args],
    ...["--output-format=json", "--agent=no", `--workdir=${inProject()}`],
  ], { show: false, env: { DO_NOT_TRACK: "1", SUPABASE_TELEMETRY_DISABLED: "1" } });
  if (code === 0) return JSON.parse(stdout);
  throw new CliError(`supabase ${args.slice(0, 2).join(" ")} failed:\n${stdout}${stderr}`);
}

async function allowed(): Promise<Record<string, string>> {
  const file = new URL("./advisors_allowed.json", import.meta.url);
  return z.record(z.string(), z.string().min(20)).parse(JSON.parse(await Deno.readTextFile(file)));
}

function report(what: string, passed: boolean): void {
  say(`${passed ? "ok    " : "FAILED"} ${what}`);
  tally[passed ? "passed" : "failed"]++;
}
