import type { SupabaseClient } from "@supabase/supabase-js";
import { JobNotFoundError, StoreError, unwrap } from "./errors.ts";
import { JOB_COLUMNS, type JobRow, toJobRow } from "./job_row.ts";

/** What `start_job` is told. */
export interface StartJob {
  workflowId: string;
  inputData: Record<string, unknown>;
  idempotencyKey: string | undefined;
  priority: number | undefined;
  /** RFC 3339. */
  runAt: string | undefined;
  metadata: Record<string, unknown> | undefined;
  /** 32 hexadecimal digits. */
  traceId: string;
}

/** What `start_job` answers. */
export interface StartedJob {
  job_id: string;
  status: string;
  created_at: string;
  /** False where the idempotency key gave a job that was there before. */
  created: boolean;
  /** Whether an orchestrator has to be told. */
  kick: boolean;
}

/** What `cancel_job` answers. */
export interface CancelledJob {
  job_id: string;
  /** The status when the request came in. */
  status: string;
  kick: boolean;
}

/** Where a page of jobs begins: after the job with this time and id. */
export interface PagePosition {
  createdAt: string;
  id: string;
}

/** Which jobs, and how many at most. */
export interface ListJobs {
  status: string | undefined;
  workflowId: string | undefined;
  after: PagePosition | undefined;
  limit: number;
}

/** What one user can do in the database: everything here runs under RLS. All throw StoreError. */
export interface UserStore {
  /** @throws WorkflowNotFoundError, IdempotencyConflictError, PayloadTooLargeError */
  startJob(job: StartJob): Promise<StartedJob>;
  /** @throws JobNotFoundError, JobEndedError */
  cancelJob(jobId: string, reason: string | undefined): Promise<CancelledJob>;
  /** @throws JobNotFoundError also where the job is somebody else's */
  getJob(jobId: string): Promise<JobRow>;
  /** Newest first. */
  listJobs(list: ListJobs): Promise<JobRow[]>;
  /** The workflow's current version with its schema for inputs; null where there is none. */
  findInputSchema(workflowId: string): Promise<{ version: number; inputSchema: unknown } | null>;
  /** Whether a job of the user has this key. */
  hasIdempotencyKey(key: string): Promise<boolean>;
}

/** The store of the user that the client acts as. */
export function createUserStore(client: SupabaseClient): UserStore {
  return {
    async startJob(job) {
      const reply = await client.rpc("start_job", {
        p_workflow_id: job.workflowId,
        p_input_data: job.inputData,
        p_idempotency_key: job.idempotencyKey,
        p_priority: job.priority,
        p_run_at: job.runAt,
        p_metadata: job.metadata,
        p_trace_id: job.traceId,
        p_kick: false, // the caller kicks, which is faster than by way of the database
      });
      return answered<StartedJob>(unwrap(reply));
    },

    async cancelJob(jobId, reason) {
      const reply = await client.rpc("cancel_job", {
        p_job_id: jobId,
        p_reason: reason,
        p_kick: false,
      });
      return answered<CancelledJob>(unwrap(reply));
    },

    async getJob(jobId) {
      const reply = await client.from("jobs").select(JOB_COLUMNS.join(",")).eq("id", jobId)
        .maybeSingle();
      const row: unknown = unwrap(reply);
      if (row === null) throw new JobNotFoundError(`There is no job ${jobId}`, "MR002");
      return toJobRow(row);
    },

    async listJobs({ status, workflowId, after, limit }) {
      let query = client.from("jobs").select(JOB_COLUMNS.join(","))
        .order("created_at", { ascending: false }).order("id", { ascending: false }).limit(limit);
      if (status !== undefined) query = query.eq("status", status);
      if (workflowId !== undefined) query = query.eq("workflow_id", workflowId);
      if (after !== undefined) {
        // The first condition is implied by the second: it lets the index begin at the right place.
        query = query.lte("created_at", after.createdAt)
          .or(`created_at.lt."${after.createdAt}",id.lt."${after.id}"`);
      }
      const rows: unknown[] = unwrap(await query) ?? [];
      return rows.map(toJobRow);
    },

    async findInputSchema(workflowId) {
      const reply = await client.from("workflows")
        .select("version, input_schema:definition->input_schema").eq("id", workflowId)
        .maybeSingle();
      const row = unwrap(reply) as { version: number; input_schema: unknown } | null;
      return row && { version: row.version, inputSchema: row.input_schema ?? null };
    },

    async hasIdempotencyKey(key) {
      const reply = await client.from("jobs").select("id").eq("idempotency_key", key).limit(1);
      return (unwrap(reply) ?? []).length > 0;
    },
  };
}

function answered<Reply>(reply: unknown): Reply {
  if (typeof reply !== "object" || reply === null) {
    throw new StoreError("the database function answered nothing");
  }
  return reply as Reply;
}
