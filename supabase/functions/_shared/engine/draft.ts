import { type ErrorInfo, errorInfo } from "../contracts/errors.ts";
import type {
  JobCommit,
  JobEvent,
  JobState,
  JobStatus,
  StepEntry,
  StepRecord,
} from "../contracts/turn.ts";
import type { Decision, Effect, PlanContext } from "./decision.ts";
import { currentAttempt, type Job, storedState, visitsOf } from "./job.ts";
import { setOwn } from "./json.ts";

/** What stands in a `job_steps` row beside what the job itself tells. */
type Ended = Pick<StepRecord, "status" | "input" | "output" | "error" | "transformer_id"> & {
  /** In ms since 1970. */
  startedAt: number;
};

/** One decision in the making: the job moves on here, and what has to be written gathers. */
export class Draft {
  job: Job;
  /** The database's clock, in ms since 1970. */
  readonly now: number;
  private status: JobStatus = "running";
  private nextRunAt: number | null = null;
  private nextRetryAt: number | null = null;
  private finalResult: unknown = null;
  private error: ErrorInfo | null = null;
  private readonly entries: Record<string, StepEntry> = {};
  private readonly steps: StepRecord[] = [];
  private readonly events: JobEvent[] = [];
  private readonly consumed: number[] = [];
  private changed = false;
  /** Steps entered by this decision. */
  moves = 0;

  constructor(job: Job, now: number) {
    this.job = job;
    this.now = now;
  }

  /** Notes that a message has been dealt with. */
  consume(messageId: number): void {
    this.consumed.push(messageId);
    this.changed = true;
  }

  event(type: JobEvent["type"], data: Record<string, unknown>): void {
    this.events.push({ job_id: this.job.job_id, type, step_id: this.job.current_step_id, data });
    this.changed = true;
  }

  /** Records that the current attempt has ended. */
  recordAttempt(ended: Ended): void {
    const { startedAt, ...rest } = ended;
    this.steps.push({
      job_id: this.job.job_id,
      ...currentAttempt(this.job),
      ...rest,
      ...(rest.status === "skipped" ? { attempt: 0 } : {}),
      redeliveries: this.job.redeliveries,
      started_at: iso(Math.min(startedAt, this.now)),
      ended_at: iso(this.now),
    });
    this.setJob({ redeliveries: 0 });
  }

  /** Puts the current step's outcome into the job document. */
  setEntry(entry: StepEntry): void {
    setOwn(this.entries, this.job.current_step_id, entry);
    const stepData = { ...this.job.step_data };
    setOwn(stepData, this.job.current_step_id, entry);
    this.setJob({ step_data: stepData });
  }

  /** Moves the program counter. @param previous the step whose output flows on */
  enter(stepId: string, previous: string | null): void {
    const { job } = this;
    const visit = visitsOf(job, stepId) + 1;
    const leaving = job.state.visit > 1 ? { [job.current_step_id]: job.state.visit } : {};
    const visits = { ...job.state.visits, ...leaving };
    delete visits[stepId];
    this.moves++;
    this.setJob({
      current_step_id: stepId,
      retry_count: 0,
      redeliveries: 0,
      state: {
        ...job.state,
        visit,
        attempt: 1,
        visits,
        steps_visited: job.state.steps_visited + 1,
        previous_step: previous,
        entered_at: this.now,
        waiting: undefined,
      },
    });
  }

  setState(patch: Partial<JobState>): void {
    this.setJob({ state: { ...this.job.state, ...patch } });
  }

  setJob(patch: Partial<Job>): void {
    this.job = { ...this.job, ...patch };
    this.changed = true;
  }

  /** Gives the lease back until `at` (ms since 1970), or until a message comes. */
  park(status: "pending" | "awaiting_retry" | "waiting", at: number): Effect {
    const deadline = this.job.deadline_at === null ? Infinity : Date.parse(this.job.deadline_at);
    this.status = status;
    this.nextRunAt = Math.min(at, deadline);
    this.nextRetryAt = status === "awaiting_retry" ? at : null;
    this.changed = true;
    return { type: "release" };
  }

  /** Parks until a retry; until then the job shows why. */
  retry(error: ErrorInfo, at: number): Effect {
    this.error = error;
    return this.park("awaiting_retry", at);
  }

  complete(result: unknown): Effect {
    this.finalResult = result;
    return this.end("completed");
  }

  fail(error: ErrorInfo): Effect {
    this.error = error;
    return this.end("failed");
  }

  cancel(reason: string | null): Effect {
    this.error = errorInfo("cancelled", reason ?? "Cancelled on request");
    return this.end("cancelled");
  }

  private end(status: "completed" | "failed" | "cancelled"): Effect {
    this.status = status;
    this.setState({ waiting: undefined });
    return { type: "release" };
  }

  /** The decision, once nothing is left to decide. */
  decide(effect: Effect): Decision {
    const { job, changed } = this;
    if (!changed) return { job, write: null, effect };
    const commit: JobCommit = {
      job_id: job.job_id,
      version: job.version,
      status: this.status,
      current_step_id: job.current_step_id,
      state: storedState(job.state),
      step_data: this.entries,
      next_run_at: this.nextRunAt === null ? null : iso(this.nextRunAt),
      next_retry_at: this.nextRetryAt === null ? null : iso(this.nextRetryAt),
      retry_count: job.retry_count,
      redeliveries: job.redeliveries,
      final_result: this.finalResult,
      error: this.error,
    };
    return {
      job: { ...job, version: job.version + 1 },
      write: { job: commit, steps: this.steps, events: this.events, consumed: this.consumed },
      effect,
    };
  }
}

/** A draft that may ask what the definition and the transformers say. */
export class PlanDraft extends Draft {
  readonly context: PlanContext;

  constructor(job: Job, context: PlanContext) {
    super(job, context.now);
    this.context = context;
  }
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
