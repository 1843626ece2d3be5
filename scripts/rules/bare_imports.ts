import { z } from "zod";
import { runDeno } from "../run.ts";

const graph = z.object({
  modules: z.array(z.object({
    dependencies: z.array(z.object({ specifier: z.string() })).default([]),
  })),
});

/**
 * What a function's module graph imports by name, as Deno itself resolves it.
 *
 * @throws Error when Deno cannot read the graph
 */
export async function bareImportsOf(functionName: string): Promise<ReadonlySet<string>> {
  const folder = `supabase/functions/${functionName}`;
  const args = [
    "info",
    "--json",
    "--no-lock",
    `--config=${folder}/deno.json`,
    `${folder}/index.ts`,
  ];
  const { code, stdout, stderr } = await runDeno(args, { show: false });
  if (code !== 0) throw new Error(`Cannot read the modules of ${functionName}: ${stderr}`);
  const { modules } = graph.parse(JSON.parse(stdout));
  const specifiers = modules.flatMap(({ dependencies }) =>
    dependencies.map(({ specifier }) => specifier)
  );
  return new Set(specifiers.filter((name) => !/^(?:\.|\/|[a-z]+:)/.test(name)));
}
