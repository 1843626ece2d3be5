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

/** A workflow that is registered. */
export interface RegisterWorkflow {
  id: string;
  /** Undefined: of a workflow that is there, as it stands. */
  description?: string | null | undefined;
  definition: Record<string, unknown>;
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
  /** The `input_schema` of one version of a workflow; null where it has none. */
  findVersionSchema(workflowId: string, version: number): Promise<unknown>;
  /** Adds a workflow; null where there is one of this id. @throws DefinitionInvalidError */
  insertWorkflow(workflow: RegisterWorkflow): Promise<number | null>;
  /** Changes a workflow; null where there is none of this id. @throws DefinitionInvalidError */
  updateWorkflow(workflow: RegisterWorkflow): Promise<number | null>;
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

    async findVersionSchema(workflowId, version) {
      const reply = await client.from("workflow_versions")
        .select("input_schema:definition->input_schema")
        .eq("workflow_id", workflowId).eq("version", version).maybeSingle();
      const row = unwrap(reply) as { input_schema: unknown } | null;
      return row?.input_schema ?? null;
    },

    async insertWorkflow({ id, description, definition }) {
      const reply = await client.from("workflows")
        .upsert({ id, description, definition }, { onConflict: "id", ignoreDuplicates: true })
        .select("version").maybeSingle();
      return versionOf(unwrap(reply));
    },

    async updateWorkflow({ id, description, definition }) {
      const reply = await client.from("workflows").update({ description, definition })
        .eq("id", id).select("version").maybeSingle();
      return versionOf(unwrap(reply));
    },
  };
}

function versionOf(row: { version: number } | null): number | null {
  return row?.version ?? null;
}
