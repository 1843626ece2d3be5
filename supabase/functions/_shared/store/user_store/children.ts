import type { SupabaseClient } from "@supabase/supabase-js";
import { unwrap } from "../errors.ts";
import { JOB_COLUMNS, type JobRow, toJobRow } from "../job_row.ts";
import { afterKeys } from "./keyset.ts";

/** How the children of a job stand. */
export interface ChildrenSummary {
  total: number;
  by_status: Record<string, number>;
  /** The first of those that failed. */
  failed: Record<string, unknown>[];
}

/** Where a page of children begins: after this place among the children of one job. */
export interface ChildPosition {
  stepId: string;
  visit: number;
  index: number;
}

/** Which children, and how many at most. */
export interface ListChildren {
  jobId: string;
  status: string | undefined;
  after: ChildPosition | undefined;
  limit: number;
}

/** The jobs that a job of the user's has started and waits for. All throw StoreError. */
export interface ChildrenStore {
  /** Null where the job has no children. */
  childrenSummary(jobId: string): Promise<ChildrenSummary | null>;
  /** By step, visit and index. */
  listChildren(list: ListChildren): Promise<JobRow[]>;
}

/** The children of jobs of the user that the client acts as. */
export function createChildrenStore(client: SupabaseClient): ChildrenStore {
  return {
    async childrenSummary(jobId) {
      return unwrap(await client.rpc("job_children", { p_job_id: jobId })) as
        | ChildrenSummary
        | null;
    },

    async listChildren({ jobId, status, after, limit }) {
      let query = client.from("jobs").select(JOB_COLUMNS.join(",")).eq("parent_job_id", jobId)
        .order("parent_step_id").order("parent_visit").order("item_index").limit(limit);
      if (status !== undefined) query = query.eq("status", status);
      if (after !== undefined) {
        // The first condition is implied by the second: it lets the index begin at the right place.
        query = query.gte("parent_step_id", after.stepId).or(afterKeys([
          ["parent_step_id", after.stepId],
          ["parent_visit", after.visit],
          ["item_index", after.index],
        ], "gt"));
      }
      const rows: unknown[] = unwrap(await query) ?? [];
      return rows.map(toJobRow);
    },
  };
}
