import assert from "node:assert/strict";
import { readApiEnv, type ReadVariable } from "../../supabase/functions/_shared/contracts/env.ts";
import { readExecutorEnv } from "../../supabase/functions/_shared/executor/env.ts";
import { privateNetworkAllowed } from "../../supabase/functions/_shared/executor/net/guard.ts";
import { readOrchestratorConfig } from "../../supabase/functions/_shared/orchestrator/config.ts";
import { apiKey, parseConfig } from "../../supabase/functions/execute-gemini-prompt/config.ts";
import { codesIn, readFile, tableRows } from "./pages.ts";

/** Everything that reads variables, each with what it makes of them. */
const READERS: readonly ((read: ReadVariable) => unknown)[] = [
  readApiEnv,
  readExecutorEnv,
  readOrchestratorConfig,
  (read) => privateNetworkAllowed({ get: read }),
  (read) => parseConfig("gemini_prompt", {}, read),
  (read) => apiKey(parseConfig("gemini_prompt", {}, read), read),
];

/** What the platform sets, and a key, without which some readers refuse to go on. */
const GIVEN: Record<string, string> = {
  SUPABASE_URL: "http://localhost",
  SUPABASE_PUBLISHABLE_KEYS: '{"default":"p"}',
  SUPABASE_SECRET_KEYS: '{"default":"s"}',
  GEMINI_API_KEY: "k",
};

Deno.test("README's table and .env.example hold the same variables and defaults", async () => {
  assert.deepEqual(await listedInReadme(), await listedInExample());
});

Deno.test("README's table holds the variables that the functions read", async () => {
  const asked = new Set<string>();
  const read: ReadVariable = (name) => {
    asked.add(name);
    return GIVEN[name];
  };
  READERS.forEach((reader) => reader(read));
  const own = [...asked].filter((name) => !name.startsWith("SUPABASE_"));
  assert.deepEqual(own.sort(), [...(await listedInReadme()).keys()].sort());
});

Deno.test("README's defaults are the defaults: to set one changes nothing", async () => {
  for (const [name, value] of await listedInReadme()) {
    if (value === "") continue;
    for (const reader of READERS) {
      const unset = reader((asked) => GIVEN[asked]);
      const set = reader((asked) => asked === name ? value : GIVEN[asked]);
      assert.deepEqual(set, unset, `${name}=${value}`);
    }
  }
});

async function listedInReadme(): Promise<Map<string, string>> {
  const rows = tableRows(await readFile("README.md"), "variable");
  return new Map(rows.map(([name, value]) => [codesIn(name)[0] ?? "", codesIn(value)[0] ?? ""]));
}

async function listedInExample(): Promise<Map<string, string>> {
  const lines = (await readFile(".env.example")).matchAll(/^# ([A-Z][A-Z0-9_]*)=(.*)$/gm);
  return new Map([...lines].map(([, name = "", value = ""]) => [name, value]));
}
