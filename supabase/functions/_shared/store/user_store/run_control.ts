import type { SupabaseClient } from "@supabase/supabase-js";
import { unwrap } from "../errors.ts";
import { answered } from "./answered.ts";

/** What is answered to a wish about one job. */
export interface ControlledJob {
  job_id: string;
  /** The status when the wish came in; of a job opened again, the new one. */
  status: string;
  /** Whether an orchestrator has to be told. */
  kick: boolean;
}

/** How a job that has ended is opened again. */
export interface RetryJob {
  /** Undefined: the step that it ended at. */
  fromStep: string | undefined;
  /** Undefined: as before. */
  inputData: Record<string, unknown> | undefined;
  /** Undefined: the database's default. */
  failedItemsOnly: boolean | undefined;
}

/** What is done to which jobs. */
export interface BulkJobs {
  action: string;
  filter: Readonly<Record<string, unknown>>;
  limit: number;
  reason: string | undefined;
  dryRun: boolean;
}

/** What `bulk_jobs` answers. */
export interface BulkReply {
  /** Jobs that the filter finds and the action makes sense for, beyond the limit too. */
  matched: number;
  affected: number;
  /** The first of them. */
  job_ids: string[];
  dry_run: boolean;
  kick: boolean;
}

/** What a user may do to running jobs. All throw StoreError. */
export interface RunControlStore {
  /** @throws JobNotFoundError, JobEndedError */
  cancelJob(jobId: string, reason: string | undefined): Promise<ControlledJob>;
  /** @throws JobNotFoundError, JobEndedError */
  pauseJob(jobId: string, reason: string | undefined): Promise<ControlledJob>;
  /** @throws JobNotFoundError, JobEndedError */
  resumeJob(jobId: string): Promise<ControlledJob>;
  /** @throws JobNotFoundError, WrongStatusError, InvalidArgumentError, PayloadTooLargeError */
  retryJob(jobId: string, retry: RetryJob): Promise<ControlledJob>;
  /** @throws JobNotFoundError, JobEndedError, PayloadTooLargeError */
  signalJob(jobId: string, name: string, payload: unknown): Promise<ControlledJob>;
  bulkJobs(bulk: BulkJobs): Promise<BulkReply>;
  /** Why a job does not move, and what to do. @throws JobNotFoundError */
  explainJob(jobId: string): Promise<Record<string, unknown>>;
}

/** Run control as the user that the client acts as; nothing kicks by itself: the caller does. */
export function createRunControlStore(client: SupabaseClient): RunControlStore {
  async function call<Reply>(name: string, args: Record<string, unknown>): Promise<Reply> {
    return answered<Reply>(unwrap(await client.rpc(name, args)));
  }

  return {
    cancelJob: (jobId, reason) =>
      call("cancel_job", { p_job_id: jobId, p_reason: reason, p_kick: false }),
    pauseJob: (jobId, reason) =>
      call("pause_job", { p_job_id: jobId, p_reason: reason, p_kick: false }),
    resumeJob: (jobId) => call("resume_job", { p_job_id: jobId, p_kick: false }),
    retryJob: (jobId, { fromStep, inputData, failedItemsOnly }) =>
      call("retry_job", {
        p_job_id: jobId,
        p_from_step: fromStep,
        p_input_data: inputData,
        p_failed_items_only: failedItemsOnly,
        p_kick: false,
      }),
    signalJob: (jobId, name, payload) =>
      call("signal_job", { p_job_id: jobId, p_name: name, p_payload: payload, p_kick: false }),
    bulkJobs: ({ action, filter, limit, reason, dryRun }) =>
      call("bulk_jobs", {
        p_action: action,
        p_filter: filter,
        p_limit: limit,
        p_dry_run: dryRun,
        p_reason: reason,
        p_kick: false,
      }),
    explainJob: (jobId) => call("explain_job", { p_job_id: jobId }),
  };
}
