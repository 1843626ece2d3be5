import { z } from "zod";
import { type ErrorInfo, errorInfoSchema } from "./errors.ts";
import { retryPolicySchema } from "./definition.ts";

/** One message of a job's mailbox (`job_inbox`). */
export const messageSchema = z.object({
  id: z.int(),
  kind: z.enum([
    "cancel",
    "pause",
    "resume",
    /** The job had ended and was opened again: `{ from_step?, failed_items_only }`. */
    "retry",
    /** The result of an attempt, by callback. */
    "step_result",
    /**
     * An event that a waiting step has asked for: `{ event_id, position, name, key, payload }`, with
     * `more: true` where others between it and the next one have yet to be handed over.
     */
    "event",
    /** What a person decided: `{ approval_id, decision, by, at, notes, form }`. */
    "decision",
    /** The children that were to be started name a workflow that is not there: `{ message }`. */
    "spawn_refused",
  ]),
  step_id: z.string().nullable(),
  visit: z.int().nullable(),
  attempt: z.int().nullable(),
  payload: z.record(z.string(), z.unknown()),
});
export type Message = z.infer<typeof messageSchema>;

/** When a wait began and when it is over by itself (RFC 3339; null: never). */
const span = { since: z.string(), until: z.string().nullable() };

/** What a job waits for in the middle of a step. */
export const waitingSchema = z.discriminatedUnion("kind", [
  /** The attempt was accepted by its executor and ends by callback. */
  z.object({ kind: z.literal("callback"), ...span }),
  z.object({ kind: z.literal("timer"), ...span }),
  z.object({
    kind: z.literal("event"),
    ...span,
    event: z.string(),
    key: z.string().nullable(),
    /** Events up to this one, in the order of their delivery, have been looked at. */
    after: z.int(),
  }),
  z.object({ kind: z.literal("approval"), ...span }),
  z.object({
    kind: z.literal("children"),
    ...span,
    total: z.int(),
    /** Failures that do not fail the step. */
    tolerated: z.int(),
    /** Why the step fails once its last child has ended; the others were told to end. */
    failure: errorInfoSchema.optional(),
  }),
  /** A detached child is to be started by the commit that writes this. */
  z.object({ kind: z.literal("start"), ...span, job_id: z.string() }),
]);
export type Waiting = z.infer<typeof waitingSchema>;

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
  waiting: waitingSchema.optional(),
  /** The current attempt's output, while `validate` has somebody else judge it. */
  checking: z.object({ output: z.unknown(), since: z.string() }).optional(),
  /** The job had ended and is to run once more, as soon as it has what it must have to begin. */
  rerun: z.object({ from_step: z.string().nullable(), failed_items_only: z.boolean() }).optional(),
  /** Nothing new is begun until somebody resumes the job. */
  paused: z.boolean().default(false),
  /** How the job ends once its last child has ended. */
  ending: z.object({ status: z.enum(["failed", "cancelled"]), error: errorInfoSchema }).optional(),
  /** Where the last event stands that each step has taken: a loop waits for a later one. */
  events: z.record(z.string(), z.int()).default({}),
  /** Written by `commit_jobs` when it grants a start: not to begin before (RFC 3339). */
  not_before: z.string().optional(),
});
export type JobState = z.infer<typeof jobStateSchema>;

/** An entry of `jobs.step_data`: what the job document says of a step. */
export interface StepEntry {
  /** `null` when the step was skipped or failed. */
  output: unknown;
  status: "completed" | "failed" | "skipped";
  error: ErrorInfo | null;
  attempts: number;
  /** Of a map: the items that failed and were tolerated, at most 100. */
  errors?: { index: number; error: ErrorInfo }[];
}

/** How a child of a job ended. */
export const childEndSchema = z.object({
  job_id: z.guid(),
  index: z.int(),
  status: z.enum(["completed", "failed", "cancelled"]),
  result: z.unknown(),
  error: errorInfoSchema.nullable(),
});
export type ChildEnd = z.infer<typeof childEndSchema>;

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
  /** Not to begin before; null: at once. */
  run_at: z.string().nullish(),
  trace_id: z.string(),
  priority: z.int(),
  /** Of a child: who waits for it, in which visit of which step, and its place among its siblings. */
  parent_job_id: z.guid().nullable(),
  parent_step_id: z.string().nullable(),
  parent_visit: z.int().nullable(),
  item_index: z.int().nullable(),
  /** Levels of parents above the job. */
  depth: z.int(),
  /** The branch of the definition that the job runs (`fan.left`, `each/fan.left`); null: all of it. */
  branch: z.string().nullable(),
  /** In a child of a map: its item. */
  item: z.unknown(),
  /** With `branch`: the key of the scope in which it runs; see {@link scopeSchema}. */
  scope: z.string().nullable(),
  /** Children that have not ended, and those that failed or were cancelled. */
  open_children: z.int(),
  failed_children: z.int(),
  /** The slot without which a child of a map with `max_concurrency` may not run. */
  slot_key: z.string().nullable(),
  held_slots: z.array(z.string()),
  /** Slots that an ancestor holds: they count for this job too. */
  inherited_slots: z.array(z.string()),
  /**
   * How the children of the current visit of the current step ended, in the order of their index:
   * all once none is open, before that only (at most 20 of) those that failed; null where the job
   * does not wait for children, or where the results are more than 16 MiB of text.
   */
  children: z.array(childEndSchema).nullable(),
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

/**
 * What the children of one visit of one step see of their parent, by a key that never means
 * anything else: `parent job id:step id:visit:run of the child`. It does not change in a run.
 */
export const scopeSchema = z.object({
  key: z.string(),
  /** The scope around it; null where the parent runs a whole workflow. */
  parent: z.string().nullable(),
  job_id: z.guid(),
  workflow_id: z.string(),
  workflow_version: z.int(),
  user_id: z.guid(),
  created_at: z.string(),
  started_at: z.string().nullable(),
  input_data: z.unknown(),
  step_data: z.record(z.string(), z.unknown()),
  item: z.unknown(),
  /** Null where the parent is no item of a map. */
  item_index: z.int().nullable(),
  /** The step whose output led to the one that started the children. */
  previous_step: z.string().nullable(),
});
export type Scope = z.infer<typeof scopeSchema>;

const wokenSchema = z.array(z.object({ job_id: z.guid(), messages: z.array(messageSchema) }));

/** The answer of `turn()`. */
export const turnReplySchema = z.object({
  /** The database's clock, RFC 3339. */
  now: z.string(),
  results: z.array(z.object({
    job_id: z.guid(),
    committed: z.boolean(),
    /** Of a commit that asked for a slot or a start: whether the job goes on; else it was parked. */
    admitted: z.boolean().optional(),
  })),
  /** As `results`, of the writes that were made first. */
  spawned: z.array(z.object({ job_id: z.guid(), committed: z.boolean() })).default([]),
  woken: wokenSchema,
  extended: z.object({ lost: z.array(z.guid()), woken: wokenSchema }),
  /** Claimed jobs, and children that were leased as their parent's commit asked. */
  claimed: z.array(claimedJobSchema),
  /** Scopes of claimed jobs that the caller does not know, the outer before the inner. */
  scopes: z.array(scopeSchema).default([]),
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
  /** Events that could not be delivered now, as others were just parking: look again soon. */
  events_left: z.boolean().default(false),
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
  /** Children that this commit starts; null where it starts none. */
  spawned: number | null;
  /** Failures of children after which the job is woken before the last has ended; null: never. */
  max_failed_children: number | null;
  /** The job parks until its children have ended, or too many have failed. */
  awaits_children: boolean;
  /**
   * The failures among the ends of children of which this was decided ahead of the database; it is
   * void unless all have ended, with so many failures. Null: the database had told of them.
   */
  joined_failures: number | null;
  /** Of a failure that knows nothing of the job's children: it waits until they are cancelled. */
  force?: true;
  /** What the job is to be given before it goes on; it parks as pending where it is not. */
  admission: Admission | null;
}

/** One thing that a job asks for before it goes on. */
export type Admission =
  /** A slot of `key`, of which there are `capacity`; null: as many as there are already. */
  | { kind: "slot"; key: string; capacity: number | null }
  /** A start within the rate of `key`. */
  | { kind: "start"; key: string; max_starts: number; per_seconds: number };

/** Children that a step starts. */
export interface Spawn {
  /** The parent. */
  job_id: string;
  step_id: string;
  visit: number;
  /** How many may run at a time; 0: all. */
  max_running: number;
  /** Whether all children are to be leased to the caller at once; never more than `max_running`. */
  lease: boolean;
  /** A root that nobody waits for; `children` has then one entry, with its `id`. */
  detached: boolean;
  /** When the children were started (RFC 3339), where that was before this commit. */
  at?: string;
  /** With `workflow_id`, all children run this version; null: the current one. */
  workflow_id: string | null;
  workflow_version: number | null;
  children: SpawnedChild[];
}

/** One child to be started. */
export interface SpawnedChild {
  index: number;
  /** Given where the caller needs to know it before the answer: the child is then not told back. */
  id?: string;
  /** The branch of the parent's definition and its first step; absent with `workflow_id`. */
  branch?: string;
  start_step?: string;
  /** Present for the item of a map, also where it is null. */
  item?: unknown;
  /** `input_data` of a whole workflow. */
  input?: unknown;
}

/** What is said to the open children of a job. */
export interface ChildMessage {
  job_id: string;
  kind: "cancel" | "pause" | "resume";
  reason: string | null;
}

/** Children that failed or were cancelled in a visit of a step, and are to run once more. */
export interface Reopening {
  job_id: string;
  step_id: string;
  visit: number;
}

/** What a parking job waits for by name. */
export interface Subscription {
  job_id: string;
  step_id: string;
  visit: number;
  event: string;
  /** Null: any key or none. */
  key: string | null;
  /** Only events delivered after this one, and not emitted before this time (RFC 3339). */
  after: number;
  since: string;
}

/** A question to a person. */
export interface ApprovalRequest {
  job_id: string;
  step_id: string;
  visit: number;
  attempt: number;
  title: string;
  details: unknown;
  /** User ids, email addresses and roles; null: the job's owner. */
  assignees: string[] | null;
  form: unknown;
  allow_self: boolean;
  expires_at: string | null;
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
    | "error_handled"
    | "children_started"
    | "children_cancelled"
    | "event_received"
    | "approval_asked"
    | "approval_decided"
    | "pause_requested"
    | "resumed"
    | "retried";
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
  spawn?: Spawn;
  childMessage?: ChildMessage;
  reopening?: Reopening;
  subscription?: Subscription;
  /** The job does not wait for an event any more. */
  unsubscribe?: true;
  approval?: ApprovalRequest;
  /** The job does not wait for a person any more: how the open question is closed. */
  closeApproval?: "expired" | "cancelled";
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
  /** Writes that start children, made before the others: those may be of these children already. */
  spawning: readonly JobWrite[];
  /** Jobs whose leases to extend. */
  extend: readonly string[];
  /** `workflow_id@version` of the definitions that the caller has. */
  known_definitions: readonly string[];
  catalog_revision: number | null;
  /** Keys of the scopes that the caller has. */
  known_scopes: readonly string[];
  /** Whether to tell when the next job falls due, when none is. */
  look_ahead: boolean;
  /** The run ends with this turn. */
  leaving: boolean;
}
