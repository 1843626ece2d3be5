import { generateApiKey } from "@supabase/lite";
import { readTextIfExists } from "./files.ts";

/** The secrets of one data folder. */
export interface Keys {
  /** For browsers and apps: acts as `anon`, or as the user whose token comes with it. */
  publishableKey: string;
  /** For servers: acts as `service_role`, which no row level security holds. */
  secretKey: string;
  /** Signs the tokens of users (HS256). */
  jwtSecret: string;
}

/** Reads the keys from a file, which is written when there is none. */
export async function loadKeys(path: string): Promise<Keys> {
  const text = await readTextIfExists(path);
  if (text !== undefined) return JSON.parse(text);
  const keys: Keys = {
    publishableKey: (await generateApiKey("publishable")).key,
    secretKey: (await generateApiKey("secret")).key,
    jwtSecret: crypto.randomUUID() + crypto.randomUUID(),
  };
  await Deno.writeTextFile(path, JSON.stringify(keys, null, 2) + "\n", { mode: 0o600 });
  return keys;
}
