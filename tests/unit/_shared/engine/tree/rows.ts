import type {
  JobState,
  JobStatus,
  Message,
  StepRecord,
} from "../../../../../supabase/functions/_shared/contracts/turn.ts";
import type { ErrorInfo } from "../../../../../supabase/functions/_shared/contracts/errors.ts";

/** A row of `jobs`, as far as the engine sees it; times in ms since 1970. */
export interface JobRow {
  id: string;
  /** Which job it is, whatever its id: how its ancestors came to start it. */
  path: string;
  workflow_id: string;
  status: JobStatus;
  current_step_id: string;
  input_data: unknown;
  step_data: Record<string, unknown>;
  /** As it is stored: JSON text. */
  state: Partial<JobState>;
  version: number;
  redeliveries: number;
  retry_count: number;
  run_number: number;
  next_run_at: number | null;
  next_retry_at: number | null;
  lease_token: string | null;
  wake_requested: boolean;
  created_at: number;
  started_at: number | null;
  completed_at: number | null;
  deadline_at: number | null;
  final_result: unknown;
  error: ErrorInfo | null;
  parent_job_id: string | null;
  parent_step_id: string | null;
  parent_visit: number | null;
  root_job_id: string;
  depth: number;
  branch: string | null;
  item: unknown;
  item_index: number | null;
  open_children: number;
  failed_children: number;
  max_failed_children: number | null;
  slot_key: string | null;
  wanted_slot: string | null;
  held_slots: string[];
  inherited_slots: string[];
}

/** A row of `slots`. */
export interface SlotRow {
  capacity: number;
  in_use: number;
}

/** A row of `events`. */
export interface EventRow {
  id: number;
  name: string;
  key: string | null;
  payload: unknown;
  created_at: number;
  /** In the order of deliveries; null before it has been delivered. */
  position: number | null;
}

/** A row of `event_waits`. */
export interface EventWaitRow {
  event: string;
  key: string | null;
  step_id: string;
  visit: number;
}

/** A row of `approvals`. */
export interface ApprovalRow {
  job_id: string;
  step_id: string;
  visit: number;
  attempt: number;
  status: "open" | "approved" | "rejected" | "expired" | "cancelled";
  expires_at: number | null;
}

/** What the database holds. */
export interface Tables {
  readonly jobs: Map<string, JobRow>;
  readonly inbox: Map<string, Message[]>;
  /** By job, step, visit and attempt: each is there once. */
  readonly steps: Map<string, StepRecord>;
  readonly slots: Map<string, SlotRow>;
  readonly rateStarts: Map<string, number[]>;
  readonly events: EventRow[];
  readonly waits: Map<string, EventWaitRow>;
  readonly approvals: ApprovalRow[];
}

export function isEnded(status: JobStatus): boolean {
  return status === "completed" || status === "failed" || status === "cancelled";
}

/** A copy that shares nothing with a value, and has lost what JSON loses. */
export function throughJson<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}
