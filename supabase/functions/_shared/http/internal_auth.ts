import type { ReadVariable } from "../contracts/env.ts";

/**
 * Whether a call comes from inside the project: its `apikey` header holds one of the project's
 * secret keys (the values of `SUPABASE_SECRET_KEYS`, and the older `SUPABASE_SERVICE_ROLE_KEY`).
 *
 * It compares with every key and every byte, so that the time it takes says nothing about them.
 * A project that has no secret key refuses everybody.
 */
export function isInternalCall(
  request: Request,
  read: ReadVariable = (name) => Deno.env.get(name),
): boolean {
  const presented = encoder.encode(request.headers.get("apikey") ?? "");
  let found = false;
  for (const key of secretKeys(read)) {
    // No short circuit: `found ||= equal()` would stop comparing at the first match.
    if (isEqual(presented, encoder.encode(key))) found = true;
  }
  return found;
}

const encoder = new TextEncoder();

/** Every key that opens internal functions; empty when none is configured. */
function secretKeys(read: ReadVariable): string[] {
  const keys = [...Object.values(parseKeyMap(read("SUPABASE_SECRET_KEYS"))), read(LEGACY_KEY)];
  return keys.filter((key): key is string => typeof key === "string" && key.trim() !== "");
}

const LEGACY_KEY = "SUPABASE_SERVICE_ROLE_KEY";

function parseKeyMap(text: string | undefined): Record<string, unknown> {
  if (text === undefined || text.trim() === "") return {};
  try {
    const map: unknown = JSON.parse(text);
    return typeof map === "object" && map !== null ? map as Record<string, unknown> : {};
  } catch {
    return {}; // not a map: opens nothing; a parser's message would quote the secret
  }
}

/** Takes as long as `presented` is, wherever the two differ; `expected` is never empty. */
function isEqual(presented: Uint8Array, expected: Uint8Array): boolean {
  let difference = presented.length ^ expected.length;
  for (let at = 0; at < presented.length; at++) {
    difference |= (presented[at] ?? 0) ^ (expected[at % expected.length] ?? 0);
  }
  return difference === 0;
}
