import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import type { PlatformEnv } from "../contracts/env.ts";

/** What a client needs to know beside who it acts for. */
export interface ClientConfig extends PlatformEnv {
  /** Time limit of one call, in milliseconds. */
  timeoutMs: number;
}

/** No session is kept, none is refreshed: a function serves many users in one process. */
const NO_SESSION = {
  persistSession: false,
  autoRefreshToken: false,
  detectSessionInUrl: false,
} as const;

/**
 * A client that acts as the user whose token is given: everything it does is under RLS. Made for
 * each request (0.04 ms), so that no user's token can be left behind for the next.
 */
export function createUserClient(config: ClientConfig, token: string): SupabaseClient {
  return createClient(config.supabaseUrl, config.publishableKey, {
    accessToken: () => Promise.resolve(token),
    ...shared(config),
  });
}

/** A client that acts as the service role, past RLS; one per process is enough. */
export function createServiceClient(config: ClientConfig): SupabaseClient {
  return createClient(config.supabaseUrl, config.secretKey, {
    auth: NO_SESSION,
    ...shared(config),
  });
}

/** A client that acts as nobody: for checking users' tokens, where it keeps the project's keys. */
export function createAuthClient(config: ClientConfig): SupabaseClient {
  return createClient(config.supabaseUrl, config.publishableKey, {
    auth: NO_SESSION,
    ...shared(config),
  });
}

function shared(config: ClientConfig) {
  return {
    // supabase-js would retry reads after 1, 2 and 4 s; a caller is told sooner to come again.
    db: { retry: false },
    global: { fetch: fetchWithin(config.timeoutMs) },
  } as const;
}

/** `fetch` with a time limit that covers the body too; the caller's own signal still counts. */
export function fetchWithin(timeoutMs: number): typeof fetch {
  return (input, init) => {
    const limit = AbortSignal.timeout(timeoutMs);
    const signal = init?.signal ? AbortSignal.any([init.signal, limit]) : limit;
    return fetch(input, { ...init, signal });
  };
}
