import { join } from "node:path";

const PROJECT_CONFIG = new URL("../../../supabase/config.toml", import.meta.url);
const FUNCTIONS = ["execute-test", "execute-rubbish"];

/** Writes the project's `config.toml` with the tests' executors added to it into a folder. */
export async function writeTestConfig(folder: string): Promise<string> {
  const sections = FUNCTIONS.map((name) => `
[functions.${name}]
verify_jwt = false
entrypoint = "../tests/support/functions/${name}/index.ts"
`);
  const file = join(folder, "config.toml");
  await Deno.writeTextFile(file, await Deno.readTextFile(PROJECT_CONFIG) + sections.join(""));
  return file;
}
