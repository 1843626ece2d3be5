import { z } from "zod";
import { type ErrorInfo, errorInfoSchema } from "./errors.ts";
import { retryPolicySchema } from "./definition.ts";

/** One message of a job's mailbox (`job_inbox`). */
export const messageSchema = z.object({
  id: z.int(),
  kind: z.enum(["cancel", "step_result"]),
  step_id: z.string().nullable(),
  visit: z.int().nullable(),
  attempt: z.int().nullable(),
  payload: z.record(z.string(), z.unknown()),
});
export type Message = z.infer<typeof messageSchema>;

/** `jobs.state`: where in its program a job is. A fresh job's is `{}`. */
export const jobStateSchema = z.object({
  /** How often the current step has been entered, this time included. */
  visit: z.int().default(1),
  /** The attempt that whoever holds the lease is to make, or has out. */
  attempt: z.int().default(1),
  /** Steps entered so far, all visits counted. */
  steps_visited: z.int().default(1),
  /** The step whose output is the input of a step without `input_map`. */
  previous_step: z.string().nullable().default(null),
  /** When the current step was entered, in ms since 1970: what `$now()` says in it. */
  entered_at: z.number().optional(),
  /** Visits of the steps entered more than once. */
  visits: z.record(z.string(), z.int()).default({}),
  /** The definition's own error handler has taken over: its errors end the job. */
  handling_error: z.boolean().default(false),
  /** The attempt was accepted by its executor and ends by callback, or at `until` (RFC 3339). */
  waiting: z.object({
    kind: z.literal("callback"),
    since: z.string(),
    until: z.string(),
  }).optional(),
});
export type JobState = z.infer<typeof jobStateSchema>;

/** An entry of `jobs.step_data`: what the job document says of a step. */
export interface StepEntry {
  /** `null` when the step was skipped or failed. */
  output: unknown;
  status: "completed" | "failed" | "skipped";
  error: ErrorInfo | null;
  attempts: number;
}

/** A job as a claim hands it over. Times are RFC 3339. */
export const claimedJobSchema = z.object({
  job_id: z.guid(),
  user_id: z.guid(),
  workflow_id: z.string(),
  workflow_version: z.int(),
  current_step_id: z.string(),
  input_data: z.unknown(),
  step_data: z.record(z.string(), z.unknown()),
  state: jobStateSchema,
  version: z.int(),
  redeliveries: z.int(),
  retry_count: z.int(),
  max_retries: z.int(),
  created_at: z.string(),
  started_at: z.string(),
  deadline_at: z.string().nullable(),
  trace_id: z.string(),
  /** The retry that a message has interrupted the wait for, and why it is to be made. */
  retry: z.object({ at: z.string(), error: errorInfoSchema }).nullish(),
  messages: z.array(messageSchema),
});
export type ClaimedJob = z.infer<typeof claimedJobSchema>;

/** What is left of a claimed job whose row does not fit {@link claimedJobSchema}. */
export const unreadableJobSchema = claimedJobSchema.pick({
  job_id: true,
  version: true,
  redeliveries: true,
  retry_count: true,
}).extend({ current_step_id: z.string().nullable() });
export type UnreadableJob = z.infer<typeof unreadableJobSchema>;

/** A row of `transformers`. */
export const transformerSchema = z.object({
  id: z.string(),
  type: z.string(),
  config: z.record(z.string(), z.unknown()),
  target_function: z.string(),
  batch_size: z.int(),
  retry: retryPolicySchema.nullable(),
});
export type Transformer = z.infer<typeof transformerSchema>;

const wokenSchema = z.array(z.object({ job_id: z.guid(), messages: z.array(messageSchema) }));

/** The answer of `turn()`. */
export const turnReplySchema = z.object({
  /** The database's clock, RFC 3339. */
  now: z.string(),
  results: z.array(z.object({ job_id: z.guid(), committed: z.boolean() })),
  woken: wokenSchema,
  extended: z.object({ lost: z.array(z.guid()), woken: wokenSchema }),
  claimed: z.array(claimedJobSchema),
  /** Not of the database: the store puts claimed jobs here that cannot be read. */
  unreadable: z.array(unreadableJobSchema).default([]),
  definitions: z.array(z.object({
    workflow_id: z.string(),
    version: z.int(),
    definition: z.unknown(),
  })),
  catalog_revision: z.int(),
  /** All of them when the catalog has another revision than the caller's, else null. */
  transformers: z.array(transformerSchema.extend({ retry: z.unknown() })).nullable(),
  callback_secret: z.string().nullable(),
  /** When the next job falls due; only where nothing was claimed and a look ahead was asked for. */
  next_run_at: z.string().nullable(),
});
export type TurnReply = z.infer<typeof turnReplySchema>;

/** New columns of one job (`millrace.job_commit`). Times are RFC 3339. */
export interface JobCommit {
  job_id: string;
  /** The version that was read. */
  version: number;
  status: JobStatus;
  current_step_id: string | null;
  state: Partial<JobState>;
  /** Entries that changed. */
  step_data: Record<string, StepEntry>;
  /** The wish of a job that parks; ignored while it runs. */
  next_run_at: string | null;
  next_retry_at: string | null;
  retry_count: number;
  redeliveries: number;
  final_result: unknown;
  error: ErrorInfo | null;
}

/** The states of a job. */
export type JobStatus =
  | "pending"
  | "running"
  | "awaiting_retry"
  | "waiting"
  | "paused"
  | "completed"
  | "failed"
  | "cancelled";

/** A row of `job_steps`: one attempt that has ended. */
export interface StepRecord {
  job_id: string;
  step_id: string;
  visit: number;
  /** 0 for a step that was skipped. */
  attempt: number;
  status: "completed" | "failed" | "skipped" | "cancelled";
  transformer_id: string | null;
  input: unknown;
  output: unknown;
  error: ErrorInfo | null;
  redeliveries: number;
  started_at: string;
  ended_at: string;
}

/** A row of `job_events`. */
export interface JobEvent {
  job_id: string;
  type:
    | "retry_scheduled"
    | "redelivered"
    | "cancel_requested"
    | "late_result_dropped"
    | "callback_awaited"
    | "error_handled";
  step_id: string | null;
  data: Record<string, unknown>;
}

/** What one commit writes of one job. */
export interface JobWrite {
  job: JobCommit;
  steps: StepRecord[];
  events: JobEvent[];
  /** Ids of the messages that were consumed. */
  consumed: number[];
}

/** The argument of `turn()`. */
export interface TurnRequest {
  lease_token: string;
  lease_seconds: number;
  /** How many jobs to claim. */
  claim: number;
  /** Jobs that the run holds, before this claim. */
  in_flight: number;
  writes: readonly JobWrite[];
  /** Jobs whose leases to extend. */
  extend: readonly string[];
  /** `workflow_id@version` of the definitions that the caller has. */
  known_definitions: readonly string[];
  catalog_revision: number | null;
  /** Whether to tell when the next job falls due, when none is. */
  look_ahead: boolean;
  /** The run ends with this turn. */
  leaving: boolean;
}
