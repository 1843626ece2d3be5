import assert from "node:assert/strict";
import {
  type ClaimedJob,
  claimedJobSchema,
  type Message,
  type Scope,
} from "../../../../../supabase/functions/_shared/contracts/turn.ts";
import { iso, T0 } from "../plan/world.ts";
import { commitBatch, type CommitReply } from "./commit.ts";
import type { JobWrite } from "../../../../../supabase/functions/_shared/contracts/turn.ts";
import { isEnded, type JobRow, type Tables, throughJson } from "./rows.ts";
import { grantSlots } from "./slots.ts";

/** How long a lease holds, in ms. */
export const LEASE_MS = 30_000;

/** The tables and functions of the database in memory, with a clock that is moved by hand. */
export class Database implements Tables {
  readonly jobs: Tables["jobs"] = new Map();
  readonly inbox: Tables["inbox"] = new Map();
  readonly steps: Tables["steps"] = new Map();
  readonly slots: Tables["slots"] = new Map();
  readonly rateStarts: Tables["rateStarts"] = new Map();
  readonly events: Tables["events"] = [];
  readonly waits: Tables["waits"] = new Map();
  readonly approvals: Tables["approvals"] = [];
  /** In ms since 1970. */
  now = T0;
  private nextId = 1;
  private nextMessageId = 1;

  /** The first step of the workflows that there are. */
  readonly startSteps: ReadonlyMap<string, string>;

  constructor(startSteps: ReadonlyMap<string, string>) {
    this.startSteps = startSteps;
  }

  newId(): string {
    return `00000000-0000-4000-8000-${String(this.nextId++).padStart(12, "0")}`;
  }

  job(id: string): JobRow {
    const row = this.jobs.get(id);
    assert.ok(row, `there is no job ${id}`);
    return row;
  }

  /** Inserts a job that is due. */
  insert(row: Partial<JobRow> & Pick<JobRow, "path" | "workflow_id">): JobRow {
    const id = row.id ?? this.newId();
    const job: JobRow = {
      status: "pending",
      current_step_id: this.startSteps.get(row.workflow_id) ?? "",
      input_data: null,
      step_data: {},
      state: {},
      version: 0,
      redeliveries: 0,
      retry_count: 0,
      run_number: 1,
      next_run_at: this.now,
      next_retry_at: null,
      lease_token: null,
      wake_requested: false,
      created_at: this.now,
      started_at: null,
      completed_at: null,
      deadline_at: null,
      final_result: null,
      error: null,
      parent_job_id: null,
      parent_step_id: null,
      parent_visit: null,
      root_job_id: id,
      depth: 0,
      branch: null,
      item: null,
      item_index: null,
      open_children: 0,
      failed_children: 0,
      max_failed_children: null,
      slot_key: null,
      wanted_slot: null,
      held_slots: [],
      inherited_slots: [],
      ...throughJson(row),
      id,
    };
    this.jobs.set(id, job);
    return job;
  }

  /** Puts a message into a mailbox and wakes the job. Answers whether the job takes any. */
  send(jobId: string, kind: Message["kind"], more: Partial<Message> = {}): boolean {
    const job = this.job(jobId);
    if (isEnded(job.status)) return false;
    let box = this.inbox.get(jobId) ?? [];
    if (kind === "cancel" && box.some((message) => message.kind === "cancel")) return true;
    if (kind === "pause" || kind === "resume") {
      box = box.filter((message) => message.kind !== "pause" && message.kind !== "resume");
    }
    const at = { step_id: null, visit: null, attempt: null, payload: {} };
    const message = throughJson({ ...at, ...more, id: this.nextMessageId++, kind });
    this.inbox.set(jobId, [...box, message]);
    if (kind === "retry") return true;
    job.wake_requested = true;
    if (job.lease_token === null) job.next_run_at = this.now;
    return true;
  }

  get due(): JobRow[] {
    return [...this.jobs.values()].filter(({ next_run_at }) =>
      next_run_at !== null && next_run_at <= this.now
    );
  }

  /** Leases due jobs. */
  claim(token: string, ids: readonly string[]): ClaimedJob[] {
    return ids.map((id) => {
      const job = this.job(id);
      assert.ok(job.next_run_at !== null && job.next_run_at <= this.now);
      if (job.status === "running") job.redeliveries++;
      job.version += 2;
      if (job.next_retry_at !== null && job.next_retry_at <= this.now) job.next_retry_at = null;
      this.lease(job, token);
      return this.claimed(job);
    });
  }

  /** Hands a job to an owner. */
  lease(job: JobRow, token: string): void {
    job.status = "running";
    job.lease_token = token;
    job.next_run_at = this.now + LEASE_MS;
    job.wanted_slot = null;
    job.wake_requested = false;
    job.started_at ??= this.now;
  }

  /** Keeps a lease. Answers whether it is still the caller's, and its messages. */
  extend(token: string, id: string): Message[] | null {
    const job = this.job(id);
    if (job.lease_token !== token) return null;
    job.next_run_at = this.now + LEASE_MS;
    return job.wake_requested ? throughJson(this.inbox.get(id) ?? []) : [];
  }

  commit(token: string, writes: readonly JobWrite[]): CommitReply {
    return commitBatch(this, token, throughJson(writes));
  }

  /** What `tick()` does for slots that nobody has been given. */
  sweep(): void {
    grantSlots(this, [...this.slots.keys()]);
  }

  childrenOf({ id }: JobRow, stepId: string, visit: number): JobRow[] {
    return [...this.jobs.values()].filter((job) =>
      job.parent_job_id === id && job.parent_step_id === stepId && job.parent_visit === visit
    ).sort((a, b) => (a.item_index ?? 0) - (b.item_index ?? 0));
  }

  /** A job as its owner is handed it. */
  claimed(job: JobRow): ClaimedJob {
    const { state, id } = job;
    return claimedJobSchema.parse(throughJson({
      ...job,
      job_id: id,
      user_id: "00000000-0000-4000-9000-000000000002",
      workflow_version: 1,
      max_retries: 3,
      created_at: iso(job.created_at),
      started_at: iso(job.started_at ?? this.now),
      deadline_at: job.deadline_at === null ? null : iso(job.deadline_at),
      trace_id: "00000000-0000-4000-9000-000000000003",
      priority: 5,
      scope: scopeKey(job),
      children: state.waiting?.kind === "children" ? this.endsOf(job) : null,
      retry: job.next_retry_at === null ? null : { at: iso(job.next_retry_at), error: job.error },
      messages: this.inbox.get(id) ?? [],
    }));
  }

  private endsOf(job: JobRow) {
    const { current_step_id, state, open_children } = job;
    return this.childrenOf(job, current_step_id, state.visit ?? 1)
      .filter(({ status }) => open_children === 0 || status === "failed" || status === "cancelled")
      .slice(0, open_children === 0 ? undefined : 20)
      .map((child) => ({
        job_id: child.id,
        index: child.item_index,
        status: child.status,
        result: child.final_result,
        error: child.error,
      }));
  }

  /** The scopes around a branch, the outermost first. */
  around(job: JobRow): Scope[] {
    if (job.branch === null || job.parent_job_id === null) return [];
    const parent = this.job(job.parent_job_id);
    return [
      ...this.around(parent),
      throughJson({
        key: scopeKey(job) ?? "",
        parent: scopeKey(parent),
        job_id: parent.id,
        workflow_id: parent.workflow_id,
        workflow_version: 1,
        user_id: "00000000-0000-4000-9000-000000000002",
        created_at: iso(parent.created_at),
        started_at: parent.started_at === null ? null : iso(parent.started_at),
        input_data: parent.input_data,
        step_data: parent.step_data,
        item: parent.item,
        item_index: isItem(parent) ? parent.item_index : null,
        previous_step: parent.state.previous_step ?? null,
      }),
    ];
  }
}

function isItem({ branch }: JobRow): boolean {
  return branch !== null && !(branch.split("/").at(-1) ?? "").includes(".");
}

function scopeKey(job: JobRow): string | null {
  const { branch, parent_job_id, parent_step_id, parent_visit, run_number } = job;
  if (branch === null) return null;
  return `${parent_job_id}:${parent_step_id}:${parent_visit}:${run_number}`;
}
