import type { SupabaseClient } from "@supabase/supabase-js";
import { StoreError, unwrap } from "./errors.ts";

/** What the database says when one request of a user is counted. */
export interface RateLimitReply {
  allowed: boolean;
  /** Requests left in this window. */
  remaining: number;
  retry_after_seconds: number;
}

/** How long one request took. */
export interface RequestRecord {
  endpoint: string;
  method: string;
  status: number;
  duration_ms: number;
}

/** What the API does in the database on its own account. All throw StoreError. */
export interface ApiStore {
  /** Counts one request in the current window of `windowSeconds`. */
  consumeRateLimit(
    userId: string,
    scope: string,
    limit: number,
    windowSeconds: number,
  ): Promise<RateLimitReply>;
  recordApiRequests(records: readonly RequestRecord[]): Promise<void>;
}

/** The store of the service role. */
export function createApiStore(client: SupabaseClient): ApiStore {
  return {
    async consumeRateLimit(userId, scope, limit, windowSeconds) {
      const reply: unknown = unwrap(
        await client.rpc("consume_rate_limit", {
          p_user_id: userId,
          p_scope: scope,
          p_limit: limit,
          p_window_seconds: windowSeconds,
        }),
      );
      if (reply === null) throw new StoreError("consume_rate_limit() answered nothing");
      return reply as RateLimitReply;
    },

    async recordApiRequests(records) {
      unwrap(await client.rpc("record_api_requests", { p_requests: records }));
    },
  };
}
