/**
 * Checks the types of each function under its own `deno.json`, as it is deployed:
 * `deno task functions:check`.
 */
import { functionNames } from "./rules/function_configs.ts";
import { walkFiles } from "./files.ts";
import { runDeno } from "./run.ts";
import { say } from "./say.ts";

const AT_ONCE = 2;

const paths = new Map<string, string>();
for await (const path of walkFiles("supabase/functions")) paths.set(path, "");
const names = functionNames(paths);
const queue = names.values();
let failed = 0;

async function checkNext(): Promise<void> {
  for (const name of queue) {
    const folder = `supabase/functions/${name}`;
    const { code, stderr } = await runDeno(
      ["check", "--quiet", "--no-lock", `--config=${folder}/deno.json`, `${folder}/index.ts`],
      { show: false },
    );
    say(`${code === 0 ? "ok    " : "FAILED"} ${name}`);
    if (code !== 0) {
      failed++;
      say(stderr);
    }
  }
}

await Promise.all(Array.from({ length: AT_ONCE }, checkNext));
say(`${names.length - failed} of ${names.length} functions have no type error`);
Deno.exit(failed > 0 ? 1 : 0);
