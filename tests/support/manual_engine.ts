import assert from "node:assert/strict";
import type {
  ClaimedJob,
  JobWrite,
  Message,
  TurnReply,
  TurnRequest,
} from "../../supabase/functions/_shared/contracts/turn.ts";
import { jobStateSchema } from "../../supabase/functions/_shared/contracts/turn.ts";
import { createLog } from "../../supabase/functions/_shared/log.ts";
import { Catalog } from "../../supabase/functions/_shared/orchestrator/catalog.ts";
import { type Clock, createClock } from "../../supabase/functions/_shared/orchestrator/clock.ts";
import {
  type OrchestratorConfig,
  readOrchestratorConfig,
} from "../../supabase/functions/_shared/orchestrator/config.ts";
import type {
  DeliveryEnd,
  Dispatcher,
  TaskOut,
} from "../../supabase/functions/_shared/orchestrator/dispatcher.ts";
import { Run } from "../../supabase/functions/_shared/orchestrator/run.ts";
import type { RunSummary } from "../../supabase/functions/_shared/orchestrator/run_summary.ts";
import { Scopes } from "../../supabase/functions/_shared/orchestrator/scopes.ts";
import type { EngineStore } from "../../supabase/functions/_shared/store/engine_store.ts";

/** When every run of these tests begins, by the database's clock. */
export const T0 = Date.parse("2026-01-01T00:00:00.000Z");

/** What is asked for one by one, and waited for where it has not come yet. */
class Arrivals<T> {
  private readonly come: T[] = [];
  private readonly waiting: ((item: T) => void)[] = [];

  add(item: T): void {
    const take = this.waiting.shift();
    if (take === undefined) this.come.push(item);
    else take(item);
  }

  next(): Promise<T> {
    const item = this.come.shift();
    return item === undefined
      ? new Promise((resolve) => this.waiting.push(resolve))
      : Promise.resolve(item);
  }

  /** What came and was not asked for. */
  get left(): readonly T[] {
    return this.come;
  }
}

/** A turn under way, which the test answers. */
export interface Turn {
  request: TurnRequest;
  /** Answers; whatever is left out is empty, and writes are committed. */
  reply(reply?: Partial<TurnReply>): void;
  fail(error: Error): void;
}

/** One run, whose database and executors are the test's own hands: every race is a sequence. */
export class ManualEngine {
  readonly turns = new Arrivals<Turn>();
  readonly tasks = new Arrivals<TaskOut>();
  /** Names of the functions that were called, one per call. */
  readonly calls: string[] = [];
  readonly run: Run;
  readonly done: Promise<RunSummary>;
  readonly lines: Record<string, unknown>[] = [];
  ticks = 0;
  onTick: () => Promise<void> = () => Promise.resolve();
  /** What has passed since the start, in ms. */
  elapsed = 0;
  /** What passes between two looks at the clock, in ms. */
  step = 0;
  private ending = false;

  constructor(
    options: {
      config?: Partial<OrchestratorConfig>;
      catalog?: Catalog;
      /** What the function's own clock says at the start. */
      localTime?: number;
    } = {},
  ) {
    const clock: Clock = createClock(() => this.elapsed += this.step, options.localTime ?? T0);
    const store: EngineStore = {
      turn: (request) =>
        new Promise((resolve, reject) => {
          if (this.ending) return resolve(this.emptyReply(request));
          this.turns.add({
            request,
            reply: (reply = {}) => resolve({ ...this.emptyReply(request), ...reply }),
            fail: reject,
          });
        }),
      tick: () => {
        this.ticks++;
        return this.onTick();
      },
    };
    const dispatcher: Dispatcher = {
      dispatch: (name, tasks) => {
        this.calls.push(name);
        for (const task of tasks) this.tasks.add(task);
      },
    };
    this.run = new Run({
      store,
      dispatcher,
      catalog: options.catalog ?? new Catalog(),
      scopes: new Scopes(),
      clock,
      config: { ...readOrchestratorConfig(() => undefined), ...options.config },
      log: createLog({}, { level: "debug", write: (line) => this.lines.push(JSON.parse(line)) }),
      random: () => 0.5,
      newId: () => crypto.randomUUID(),
      runId: crypto.randomUUID(),
    });
    this.done = this.run.work();
  }

  /** Answers the first turn with these jobs. */
  async claim(...jobs: ClaimedJob[]): Promise<void> {
    const turn = await this.turns.next();
    assert.ok(turn.request.claim > 0);
    turn.reply(claimReply(...jobs));
  }

  /** Ends the run where its wall clock does; a last turn may keep the leases until then. */
  async end(): Promise<RunSummary> {
    this.ending = true;
    this.elapsed += 100_000_000;
    this.run.kick("start");
    return await this.done;
  }

  private emptyReply(request: TurnRequest): TurnReply {
    return {
      now: new Date(T0 + this.elapsed).toISOString(),
      results: request.writes.map(({ job }) => ({ job_id: job.job_id, committed: true })),
      spawned: request.spawning.map(({ job }) => ({ job_id: job.job_id, committed: true })),
      woken: [],
      extended: { lost: [], woken: [] },
      claimed: [],
      scopes: [],
      unreadable: [],
      definitions: [],
      catalog_revision: 1,
      transformers: null,
      callback_secret: null,
      next_run_at: null,
      events_left: false,
    };
  }
}

/** A turn's reply with jobs, and all that they need to be run. */
export function claimReply(...jobs: ClaimedJob[]): Partial<TurnReply> {
  return {
    claimed: jobs,
    definitions: jobs.map(({ workflow_id, workflow_version }) => ({
      workflow_id,
      version: workflow_version,
      definition: TWO_STEPS,
    })),
    transformers: [ECHO],
    callback_secret: "the secret of these tests",
  };
}

export const ECHO = {
  id: "echo",
  type: "echo",
  config: {},
  target_function: "execute-echo",
  batch_size: 20,
  retry: null,
};

/** Steps `one` and `two`, each a task that may end by callback within an hour. */
export const TWO_STEPS = {
  start_step: "one",
  steps: {
    one: { transformer_id: "echo", callback: true, timeout_seconds: 60, next_step: "two" },
    two: { transformer_id: "echo", callback: true, timeout_seconds: 60, next_step: null },
  },
};

/** A job that was just claimed for the first time. */
export function aJob(more: Partial<ClaimedJob> = {}): ClaimedJob {
  const now = new Date(T0).toISOString();
  return {
    job_id: crypto.randomUUID(),
    user_id: crypto.randomUUID(),
    workflow_id: "two_steps",
    workflow_version: 1,
    current_step_id: "one",
    input_data: {},
    step_data: {},
    state: jobStateSchema.parse({}),
    version: 1,
    redeliveries: 0,
    retry_count: 0,
    max_retries: 3,
    created_at: now,
    started_at: now,
    deadline_at: null,
    trace_id: crypto.randomUUID(),
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
    messages: [],
    ...more,
  };
}

export function aMessage(kind: Message["kind"], more: Partial<Message> = {}): Message {
  return { id: 1, kind, step_id: null, visit: null, attempt: null, payload: {}, ...more };
}

/** A result as an executor tells it. */
export function completed(output: unknown): DeliveryEnd {
  return { type: "result", result: { status: "completed", output } };
}

/** The one write of a turn. */
export function onlyWrite({ request }: Turn): JobWrite {
  const [write, ...others] = request.writes;
  assert.ok(write !== undefined && others.length === 0, JSON.stringify(request.writes));
  return write;
}

/** A job as it is claimed once more after a commit. */
export function claimedAfter(job: ClaimedJob, { job: commit }: JobWrite): ClaimedJob {
  return {
    ...job,
    version: commit.version + 2,
    current_step_id: commit.current_step_id ?? job.current_step_id,
    state: jobStateSchema.parse(JSON.parse(JSON.stringify(commit.state))),
    step_data: { ...job.step_data, ...commit.step_data },
    redeliveries: commit.redeliveries,
    retry_count: commit.retry_count,
  };
}
