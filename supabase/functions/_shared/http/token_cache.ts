import type { Caller, VerifyToken } from "./auth.ts";

/** How a {@link cacheTokens} remembers. */
export interface TokenCacheOptions {
  /** How long an answer is trusted, in seconds; 0 turns the cache off. */
  seconds: number;
  /** Most tokens that are remembered. */
  maxTokens?: number;
  /** Milliseconds since 1970. */
  clock?: () => number;
}

interface Entry {
  caller: Caller;
  /** Milliseconds since 1970. */
  until: number;
}

/**
 * Remembers tokens that were verified a moment ago, by their SHA-256 and never past their expiry;
 * refusals are not remembered. A user who signs out or is banned keeps access for at most `seconds`
 * (Auth's own public-key check, without this cache, grants it until the token expires).
 */
export function cacheTokens(verify: VerifyToken, options: TokenCacheOptions): VerifyToken {
  const clock = options.clock ?? Date.now;
  const maxTokens = options.maxTokens ?? 1_000;
  const entries = new Map<string, Entry>();
  if (options.seconds === 0) return verify;

  return async (token) => {
    const key = await hash(token);
    const known = entries.get(key);
    if (known !== undefined && clock() < known.until) return { ...known.caller, token };
    entries.delete(key);
    const caller = await verify(token);
    if (entries.size >= maxTokens) entries.delete(entries.keys().next().value ?? "");
    const until = Math.min(clock() + options.seconds * 1_000, caller.expiresAt * 1_000);
    // The hash stands for the token: a dump of the cache's memory gives nobody a session.
    entries.set(key, { caller: { ...caller, token: "" }, until });
    return caller;
  };
}

async function hash(token: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token));
  return btoa(String.fromCharCode(...new Uint8Array(digest)));
}
