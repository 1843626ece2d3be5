import assert from "node:assert/strict";
import { errorInfo } from "../../../../../supabase/functions/_shared/contracts/errors.ts";
import type {
  JobCommit,
  JobStatus,
  JobWrite,
  Message,
  Transformer,
} from "../../../../../supabase/functions/_shared/contracts/turn.ts";
import { jobStateSchema } from "../../../../../supabase/functions/_shared/contracts/turn.ts";
import { checkDefinition } from "../../../../../supabase/functions/_shared/engine/definition/check.ts";
import type {
  AttemptResult,
  Decision,
  Delivery,
  PlanContext,
  PlanEvent,
} from "../../../../../supabase/functions/_shared/engine/decision.ts";
import type { Job } from "../../../../../supabase/functions/_shared/engine/job.ts";
import { plan } from "../../../../../supabase/functions/_shared/engine/plan.ts";

/** When every story begins. */
export const T0 = Date.parse("2026-01-01T00:00:00.000Z");

/** What the executor of these stories may be told to do with a delivery. */
export type Answer =
  | { output: unknown }
  | { fail: string; retryable?: boolean; retryAfter?: number }
  | "accepted"
  | "lost"
  | "crash";

/** Everything that was written of one job, as the database would hold it. */
export interface Row {
  status: JobStatus;
  nextRunAt: number | null;
  writes: JobWrite[];
}

/** One job that is driven by `plan` alone: its row, its clock and its mailbox. */
export class World {
  job: Job;
  now = T0;
  random = 0.5;
  maxRedeliveries = 3;
  maxPayloadBytes = 1_048_576;
  row: Row = { status: "pending", nextRunAt: T0, writes: [] };
  readonly definition;
  readonly transformers = new Map<string, Transformer>();
  private nextMessageId = 1;

  constructor(definition: unknown, job: Partial<Job> = {}) {
    const checked = checkDefinition(definition);
    assert.ok(checked.ok, JSON.stringify(checked));
    this.definition = checked.definition;
    this.addTransformer("echo");
    this.job = {
      job_id: "00000000-0000-4000-8000-000000000001",
      user_id: "00000000-0000-4000-8000-000000000002",
      workflow_id: "w",
      workflow_version: 1,
      current_step_id: this.definition.start_step,
      input_data: {},
      step_data: {},
      state: jobStateSchema.parse({}),
      version: 1,
      redeliveries: 0,
      retry_count: 0,
      max_retries: 3,
      created_at: iso(T0),
      started_at: iso(T0),
      deadline_at: null,
      trace_id: "00000000-0000-4000-8000-000000000003",
      priority: 5,
      parent_job_id: null,
      parent_step_id: null,
      parent_visit: null,
      item_index: null,
      depth: 0,
      branch: null,
      item: null,
      scope: null,
      open_children: 0,
      failed_children: 0,
      slot_key: null,
      held_slots: [],
      inherited_slots: [],
      children: null,
      ...job,
    };
  }

  addTransformer(id: string, more: Partial<Transformer> = {}): void {
    this.transformers.set(id, {
      id,
      type: "test",
      config: {},
      target_function: "execute-test",
      batch_size: 10,
      retry: null,
      ...more,
    });
  }

  get context(): PlanContext {
    const { definition, transformers, now, random, maxRedeliveries, maxPayloadBytes } = this;
    return {
      definition,
      transformers,
      now,
      random,
      maxRedeliveries,
      maxPayloadBytes,
      newId: "00000000-0000-4000-8000-00000000000a",
    };
  }

  message(kind: Message["kind"], more: Partial<Message> = {}): Message {
    const id = this.nextMessageId++;
    return { id, kind, step_id: null, visit: null, attempt: null, payload: {}, ...more };
  }

  /** Plans twice: the same must come out, or it is not a pure function. */
  async decide(event: PlanEvent): Promise<Decision> {
    const before = structuredClone(this.job);
    const decision = await plan(this.context, this.job, event);
    assert.deepEqual(await plan(this.context, this.job, event), decision);
    assert.deepEqual(this.job, before, "plan() must not change its arguments");
    return decision;
  }

  /** Decides and makes it durable. */
  async step(event: PlanEvent): Promise<Decision> {
    const decision = await this.decide(event);
    this.job = stored(decision.job);
    if (decision.write !== null) {
      const job = storedCommit(decision.write.job);
      assert.equal(job.version, decision.job.version - 1);
      this.row = {
        status: job.status,
        nextRunAt: job.next_run_at === null ? null : Date.parse(job.next_run_at),
        writes: [...this.row.writes, { ...decision.write, job }],
      };
    }
    return decision;
  }

  claim(messages: Message[] = []): Promise<Decision> {
    return this.step({ type: "claimed", messages });
  }

  result(delivery: Delivery, answer: Exclude<Answer, "crash">): Promise<Decision> {
    const sent = { input: delivery.input, startedAt: this.now };
    const { attempt } = delivery;
    return answer === "lost"
      ? this.step({ type: "lost", attempt, reason: "gone", sent })
      : this.step({ type: "result", attempt, result: toResult(answer), sent });
  }

  /** Runs the job to its end; every wait is over at once. */
  async run(answer: (delivery: Delivery, nth: number) => Answer): Promise<Row> {
    let decision = await this.claim();
    for (let nth = 0; nth < 5_000; nth++) {
      const { effect } = decision;
      if (effect.type === "again") decision = await this.step({ type: "again" });
      else if (effect.type === "dispatch") {
        this.now += 10;
        const said = answer(effect.delivery, nth);
        if (said === "crash") {
          this.job = stored({ ...this.job, redeliveries: this.job.redeliveries + 1 });
          decision = await this.claim();
        } else decision = await this.result(effect.delivery, said);
      } else if (isEnded(this.row.status)) return this.row;
      else {
        this.now = Math.max(this.now, this.row.nextRunAt ?? Infinity);
        assert.ok(Number.isFinite(this.now), "the job waits for ever");
        decision = await this.claim();
      }
    }
    throw new Error("The job did not end");
  }

  /** All attempts that were recorded, in order: "step:visit:attempt status". */
  get records(): string[] {
    return this.row.writes.flatMap((write) => write.steps)
      .map((step) => `${step.step_id}:${step.visit}:${step.attempt} ${step.status}`);
  }

  get events(): string[] {
    return this.row.writes.flatMap((write) => write.events).map((event) => event.type);
  }

  get last() {
    const write = this.row.writes.at(-1);
    assert.ok(write);
    return write.job;
  }
}

export function isEnded(status: JobStatus): boolean {
  return status === "completed" || status === "failed" || status === "cancelled";
}

/** A step of these stories: a task of the transformer `echo`. */
export function task(more: Record<string, unknown> = {}): Record<string, unknown> {
  return { transformer_id: "echo", ...more };
}

/** The delivery that a decision sends. */
export function delivered({ effect }: Decision): Delivery {
  assert.equal(effect.type, "dispatch");
  assert.ok(effect.type === "dispatch");
  return effect.delivery;
}

export function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function toResult(answer: Exclude<Answer, "crash" | "lost">): AttemptResult {
  if (answer === "accepted") return { status: "accepted" };
  if ("output" in answer) return { status: "completed", output: answer.output };
  return {
    status: "failed",
    error: errorInfo(answer.fail as "timeout", "said so", {
      ...(answer.retryable === undefined ? {} : { retryable: answer.retryable }),
      ...(answer.retryAfter === undefined ? {} : { retry_after_seconds: answer.retryAfter }),
    }),
  };
}

/** A commit as it is sent: through JSON. */
function storedCommit(commit: JobCommit): JobCommit {
  return JSON.parse(JSON.stringify(commit)) as JobCommit;
}

/** As it comes back from the database: through JSON, the state parsed anew. */
function stored(job: Job): Job {
  const copy = structuredClone(job);
  return { ...copy, state: jobStateSchema.parse(JSON.parse(JSON.stringify(copy.state))) };
}
