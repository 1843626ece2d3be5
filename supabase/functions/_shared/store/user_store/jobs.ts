import type { SupabaseClient } from "@supabase/supabase-js";
import { JobNotFoundError, unwrap } from "../errors.ts";
import { JOB_COLUMNS, type JobRow, toJobRow } from "../job_row.ts";
import { answered } from "./answered.ts";
import { afterKeys } from "./keyset.ts";

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

/** Where a page of jobs begins: after the job with this time and id. */
export interface PagePosition {
  createdAt: string;
  id: string;
}

/** Which jobs, and how many at most. */
export interface ListJobs {
  status: string | undefined;
  workflowId: string | undefined;
  /** Whether jobs are listed that another one has started. */
  includeChildren: boolean;
  after: PagePosition | undefined;
  limit: number;
}

/** Which version of which workflow a job runs. */
export interface PinnedJob {
  workflow_id: string;
  workflow_version: number;
}

/** How a job stands. */
export interface JobStanding {
  status: string;
  current_step_id: string | null;
  /** Counts the runs of the job: each retry of it is one more. */
  run_number: number;
}

/** A user's own jobs. All throw StoreError. */
export interface JobsStore {
  /** @throws WorkflowNotFoundError, IdempotencyConflictError, PayloadTooLargeError */
  startJob(job: StartJob): Promise<StartedJob>;
  /** @throws JobNotFoundError also where the job is somebody else's */
  getJob(jobId: string): Promise<JobRow>;
  /** @throws JobNotFoundError as {@link getJob} */
  findJob(jobId: string): Promise<PinnedJob>;
  /** @throws JobNotFoundError as {@link getJob} */
  jobStanding(jobId: string): Promise<JobStanding>;
  /** Newest first. */
  listJobs(list: ListJobs): Promise<JobRow[]>;
  /** The workflow's current version with its schema for inputs; null where there is none. */
  findInputSchema(workflowId: string): Promise<{ version: number; inputSchema: unknown } | null>;
  /** Whether a job of the user has this key. */
  hasIdempotencyKey(key: string): Promise<boolean>;
}

/** The jobs of the user that the client acts as. */
export function createJobsStore(client: SupabaseClient): JobsStore {
  async function findOne(jobId: string, columns: readonly string[]): Promise<unknown> {
    const reply = await client.from("jobs").select(columns.join(",")).eq("id", jobId).maybeSingle();
    const row: unknown = unwrap(reply);
    if (row === null) throw new JobNotFoundError(`There is no job ${jobId}`, "MR002");
    return row;
  }

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

    async getJob(jobId) {
      return toJobRow(await findOne(jobId, JOB_COLUMNS));
    },

    async findJob(jobId) {
      return await findOne(jobId, ["workflow_id", "workflow_version"]) as PinnedJob;
    },

    async jobStanding(jobId) {
      return await findOne(jobId, ["status", "current_step_id", "run_number"]) as JobStanding;
    },

    async listJobs({ status, workflowId, includeChildren, after, limit }) {
      let query = client.from("jobs").select(JOB_COLUMNS.join(","))
        .order("created_at", { ascending: false }).order("id", { ascending: false }).limit(limit);
      if (!includeChildren) query = query.is("parent_job_id", null);
      if (status !== undefined) query = query.eq("status", status);
      if (workflowId !== undefined) query = query.eq("workflow_id", workflowId);
      if (after !== undefined) {
        // The first condition is implied by the second: it lets the index begin at the right place.
        query = query.lte("created_at", after.createdAt)
          .or(afterKeys([["created_at", after.createdAt], ["id", after.id]], "lt"));
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
