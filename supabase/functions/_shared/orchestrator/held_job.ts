import type { ErrorInfo } from "../contracts/errors.ts";
import type { PlanEvent, SentAttempt } from "../engine/decision.ts";
import type { CheckedDefinition } from "../engine/definition/check.ts";
import type { Job } from "../engine/job.ts";

/** What happens to a job; what was sent is looked up when its messages are read. */
export type HeldEvent =
  | Exclude<PlanEvent, { type: "messages" }>
  | Omit<PlanEvent & { type: "messages" }, "sent">;

/** A job that a run owns. */
export class HeldJob {
  job: Job;
  /** What the job runs, or why it cannot be run; kept here for as long as the job is. */
  readonly definition: CheckedDefinition | ErrorInfo;
  /** The attempt that is out, as it was sent. */
  sent: SentAttempt | null = null;
  /** Ids of the messages that came: the database tells of each until it was consumed. */
  readonly heard = new Set<number>();
  /** How often in a row the executor was lost with the attempt that was out. */
  losses = 0;
  /** What has happened and was not planned yet, in order. */
  readonly events: HeldEvent[] = [];
  /** Somebody goes through the events. */
  busy = false;
  released = false;
  /** Resolves when the database has the job; null where it has. */
  durable: Promise<void> | null;
  /** Ends what is out for the job. */
  private abort = new AbortController();

  constructor(
    job: Job,
    definition: CheckedDefinition | ErrorInfo,
    durable: Promise<void> | null = null,
  ) {
    this.job = job;
    this.definition = definition;
    this.durable = durable;
  }

  /** Aborted when the attempt that is out is over. */
  get signal(): AbortSignal {
    return this.abort.signal;
  }

  /** Whether messages came in that no decision knows of yet. */
  get hasMail(): boolean {
    return this.events.some((event) => event.type === "messages");
  }

  /** The job was given a slot. */
  take(slot: string): void {
    this.job = { ...this.job, held_slots: [...this.job.held_slots, slot] };
  }

  /** The attempt that was out is over. */
  recall(): void {
    this.sent = null;
    this.abort.abort();
    if (!this.released) this.abort = new AbortController();
  }

  /** The run has no more to do with the job. */
  release(): void {
    this.released = true;
    this.recall();
  }
}
