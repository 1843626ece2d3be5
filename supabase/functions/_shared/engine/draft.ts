import { type ErrorInfo, errorInfo } from "../contracts/errors.ts";
import type {
  Admission,
  ApprovalRequest,
  ChildMessage,
  JobCommit,
  JobEvent,
  JobState,
  JobStatus,
  JobWrite,
  Spawn,
  StepEntry,
  StepRecord,
  Subscription,
  Waiting,
} from "../contracts/turn.ts";
import type { Decision, Effect, PlanContext } from "./decision.ts";
import { currentAttempt, type Job, storedState, visitsOf } from "./job.ts";
import { setOwn } from "./json.ts";

/** What stands in a `job_steps` row beside what the job itself tells. */
type Ended = Pick<StepRecord, "status" | "input" | "output" | "error" | "transformer_id"> & {
  /** In ms since 1970. */
  startedAt: number;
};

/** What a commit may do beside the job's own columns. */
type Extras = Omit<JobWrite, "job" | "steps" | "events" | "consumed">;

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
  private spawned: number | null = null;
  private joinedFailures: number | null = null;
  private admission: Admission | null = null;
  private readonly entries: Record<string, StepEntry> = {};
  private readonly steps: StepRecord[] = [];
  private readonly events: JobEvent[] = [];
  private readonly consumed: number[] = [];
  private extras: Extras = {};
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
    const { step_id, visit, attempt } = currentAttempt(this.job);
    this.steps.push({
      job_id: this.job.job_id,
      step_id,
      visit,
      attempt: rest.status === "skipped" ? 0 : attempt,
      ...rest,
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
    // The first visit is told by its entry, which a step that was cancelled does not have.
    const isTold = job.state.visit === 1 && Object.hasOwn(job.step_data, job.current_step_id);
    const leaving = isTold ? {} : { [job.current_step_id]: job.state.visit };
    const visits = { ...job.state.visits, ...leaving };
    delete visits[stepId];
    this.moves++;
    this.setWaiting(undefined);
    this.setJob({
      current_step_id: stepId,
      retry_count: 0,
      redeliveries: 0,
      state: {
        ...this.job.state,
        visit,
        attempt: 1,
        visits,
        steps_visited: job.state.steps_visited + 1,
        previous_step: previous,
        entered_at: this.now,
        checking: undefined,
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

  /**
   * Sets what the job waits for; what stood in the database for the wait before is taken down.
   *
   * @param close how a question to a person that is still open is closed; null: it has an answer
   */
  setWaiting(waiting: Waiting | undefined, close: "expired" | "cancelled" | null = "cancelled") {
    const before = this.job.state.waiting;
    if (before?.kind === "event" && waiting?.kind !== "event") this.extras.unsubscribe = true;
    if (before?.kind === "approval" && waiting?.kind !== "approval" && close !== null) {
      this.extras.closeApproval = close;
    }
    this.setState({ waiting });
  }

  /** Asks to be told of an event. */
  subscribe(wish: Omit<Subscription, "job_id" | "step_id" | "visit">): void {
    const { step_id, visit } = currentAttempt(this.job);
    this.extras.subscription = { job_id: this.job.job_id, step_id, visit, ...wish };
    delete this.extras.unsubscribe;
    this.changed = true;
  }

  /** Puts a question to a person. */
  ask(question: Omit<ApprovalRequest, "job_id" | "step_id" | "visit" | "attempt">): void {
    const { step_id, visit, attempt } = currentAttempt(this.job);
    this.extras.approval = { job_id: this.job.job_id, step_id, visit, attempt, ...question };
    this.changed = true;
  }

  /** Starts children of the current step. */
  spawn(wish: Omit<Spawn, "job_id" | "step_id" | "visit">): void {
    const { step_id, visit } = currentAttempt(this.job);
    this.extras.spawn = { job_id: this.job.job_id, step_id, visit, ...wish };
    if (wish.detached) return;
    this.spawned = wish.children.length;
    this.setJob({ open_children: this.spawned, failed_children: 0, children: null });
  }

  /** Says something to the children that have not ended. */
  tellChildren(kind: ChildMessage["kind"], reason: string | null): void {
    if (this.job.open_children === 0) return;
    this.extras.childMessage = { job_id: this.job.job_id, kind, reason };
    if (kind === "cancel") this.event("children_cancelled", { reason });
    this.changed = true;
  }

  /** Has the children of this visit that failed run once more. */
  reopenChildren(): void {
    const { step_id, visit } = currentAttempt(this.job);
    this.extras.reopening = { job_id: this.job.job_id, step_id, visit };
    this.changed = true;
  }

  /** Notes that the decision rests on ends of children that the database has yet to see. */
  joinAhead(failures: number): void {
    this.joinedFailures = failures;
    this.setJob({ open_children: 0, failed_children: failures });
  }

  /** Asks for something before the job goes on. */
  admit(admission: Admission): Effect {
    this.admission = admission;
    this.changed = true;
    return { type: "admit" };
  }

  /** Gives the lease back until `at` (ms since 1970; Infinity: for ever), or until a message comes. */
  park(status: "pending" | "awaiting_retry" | "waiting", at: number): Effect {
    this.changed = true;
    if (this.job.state.paused && status !== "pending") {
      this.status = "paused";
      return { type: "release" };
    }
    const deadline = this.job.deadline_at === null || this.job.state.ending !== undefined
      ? Infinity
      : Date.parse(this.job.deadline_at);
    this.status = status;
    this.nextRunAt = Math.min(at, deadline);
    this.nextRetryAt = status === "awaiting_retry" ? at : null;
    return { type: "release" };
  }

  /** Parks until somebody resumes the job. */
  pause(): Effect {
    return this.park("waiting", Infinity);
  }

  /** Parks until a retry; until then the job shows why. */
  retry(error: ErrorInfo, at: number): Effect {
    this.error = error;
    // Whoever resumes the job does not shorten the wait.
    if (this.job.state.paused) this.setState({ not_before: iso(at) });
    return this.park("awaiting_retry", at);
  }

  complete(result: unknown): Effect {
    this.finalResult = result;
    return this.end("completed");
  }

  fail(error: ErrorInfo): Effect {
    return this.endWith("failed", error);
  }

  cancel(reason: string | null): Effect {
    return this.endWith("cancelled", errorInfo("cancelled", reason ?? "Cancelled on request"));
  }

  /**
   * Ends the job; not before its last child has ended: whoever sees a job as ended may rely on all
   * that hangs on it having ended too.
   */
  endWith(status: "failed" | "cancelled", error: ErrorInfo): Effect {
    if (this.job.open_children === 0) {
      this.error = error;
      return this.end(status);
    }
    if (this.job.state.ending === undefined) this.tellChildren("cancel", error.message);
    this.setState({ ending: { status, error }, paused: false });
    return this.park("waiting", Infinity);
  }

  private end(status: "completed" | "failed" | "cancelled"): Effect {
    const { waiting } = this.job.state;
    this.status = status;
    // What it knew of its children stays: a retry may run those again that failed.
    this.setWaiting(waiting?.kind === "children" ? waiting : undefined);
    this.setState({ ending: undefined, checking: undefined, rerun: undefined, paused: false });
    return { type: "release" };
  }

  /** The decision, once nothing is left to decide. */
  decide(effect: Effect): Decision {
    const { job, changed } = this;
    if (!changed) return { job, write: null, effect };
    const { waiting, ending } = job.state;
    const ofChildren = waiting?.kind === "children" || ending !== undefined;
    const commit: JobCommit = {
      job_id: job.job_id,
      version: job.version,
      status: this.status,
      current_step_id: job.current_step_id,
      state: storedState(job.state),
      step_data: this.entries,
      next_run_at: this.nextRunAt === null || this.nextRunAt === Infinity
        ? null
        : iso(this.nextRunAt),
      next_retry_at: this.nextRetryAt === null ? null : iso(this.nextRetryAt),
      retry_count: job.retry_count,
      redeliveries: job.redeliveries,
      final_result: this.finalResult,
      error: this.error,
      spawned: this.spawned,
      max_failed_children: waiting?.kind === "children" && waiting.failure === undefined &&
          ending === undefined
        ? waiting.tolerated
        : null,
      joined_failures: this.joinedFailures,
      awaits_children: this.status === "waiting" && ofChildren,
      admission: this.admission,
    };
    return {
      job: { ...job, version: job.version + 1 },
      write: {
        job: commit,
        steps: this.steps,
        events: this.events,
        consumed: this.consumed,
        ...this.extras,
      },
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

export function iso(ms: number): string {
  return new Date(ms).toISOString();
}
