import type { SentAttempt } from "../engine/decision.ts";
import type { Job } from "../engine/job.ts";

/** A job that a run owns. */
export class HeldJob {
  job: Job;
  /** The attempt that is out, as it was sent. */
  sent: SentAttempt | null = null;
  /** Ends what is out for the job. */
  private abort = new AbortController();
  /** Its events are dealt with one after the other. */
  private last: Promise<void> = Promise.resolve();
  released = false;

  constructor(job: Job) {
    this.job = job;
  }

  get signal(): AbortSignal {
    return this.abort.signal;
  }

  /** Does something once all that came before it is done; it must not throw. */
  enqueue(work: () => Promise<void>): void {
    this.last = this.last.then(work);
  }

  /** The attempt that was out is over. */
  recall(): void {
    this.sent = null;
    this.abort.abort();
    this.abort = new AbortController();
  }

  /** The run has no more to do with the job. */
  release(): void {
    this.released = true;
    this.recall();
  }
}
