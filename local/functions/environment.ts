import { parseEnv } from "node:util";
import { join } from "node:path";
import { readTextIfExists } from "../files.ts";
import type { Keys } from "../keys.ts";

/** The variables that Supabase gives every function. */
export function supabaseEnvironment(
  { apiUrl, dbUrl, keys }: { apiUrl: string; dbUrl: string; keys: Keys },
): Record<string, string> {
  return {
    SUPABASE_URL: apiUrl,
    SUPABASE_DB_URL: dbUrl,
    SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: keys.publishableKey }),
    SUPABASE_SECRET_KEYS: JSON.stringify({ default: keys.secretKey }),
    SUPABASE_ANON_KEY: keys.publishableKey,
    SUPABASE_SERVICE_ROLE_KEY: keys.secretKey,
    SUPABASE_JWKS: JSON.stringify({ keys: [] }),
    SB_REGION: "local",
  };
}

/** The user's variables: `.env` of the project, then `supabase/functions/.env` as the CLI reads. */
export async function readEnvFiles(project: string): Promise<Record<string, string>> {
  const variables: Record<string, string> = {};
  for (const file of [".env", "supabase/functions/.env"]) {
    const entries = parseEnv(await readTextIfExists(join(project, file)) ?? "");
    for (const [name, value] of Object.entries(entries)) {
      // What is set in the shell counts more than what a file says.
      if (value !== undefined && Deno.env.get(name) === undefined) variables[name] = value;
    }
  }
  return variables;
}
