import type { JobWrite } from "../contracts/turn.ts";

/** What became of a decision. */
export type CommitOutcome =
  | "committed"
  /** It is durable, but what it asked for was not granted: the job waits for it, unowned. */
  | "parked"
  /** The job was not ours any more, and nothing was written. */
  | "lost";

interface Waiting {
  write: JobWrite;
  resolve: (outcome: CommitOutcome) => void;
}

/** Decisions that wait for the next turn: while one is under way, all that come gather here. */
export class CommitQueue {
  private waiting = new Map<string, Waiting>();
  private readonly onSettle: () => void;

  /** @param onSettle called for each write just before its outcome is told */
  constructor(onSettle: () => void) {
    this.onSettle = onSettle;
  }

  get size(): number {
    return this.waiting.size;
  }

  /** Resolves when it is known what became of the write. */
  add(write: JobWrite): Promise<CommitOutcome> {
    return new Promise((resolve) => this.waiting.set(write.job.job_id, { write, resolve }));
  }

  /** What waits for a job that is not ours any more is void. */
  withdraw(jobId: string): void {
    const entry = this.waiting.get(jobId);
    if (entry === undefined) return;
    this.waiting.delete(jobId);
    this.onSettle();
    entry.resolve("lost");
  }

  has(jobId: string): boolean {
    return this.waiting.has(jobId);
  }

  /** All that wait, to be committed together. */
  take(): CommitBatch {
    const batch = new CommitBatch(this.waiting, this.onSettle);
    this.waiting = new Map();
    return batch;
  }
}

/** The writes of one turn. A job has at most one: its next decision waits for this one's outcome. */
export class CommitBatch {
  readonly writes: readonly JobWrite[];
  /** How many of the jobs park or end with it. */
  readonly ending: number;
  private readonly open: Map<string, Waiting>;
  private readonly onSettle: () => void;

  constructor(open: Map<string, Waiting>, onSettle: () => void) {
    this.open = open;
    this.writes = [...open.values()].map(({ write }) => write);
    this.ending = this.writes.filter(({ job }) => job.status !== "running").length;
    this.onSettle = onSettle;
  }

  has(jobId: string): boolean {
    return this.open.has(jobId);
  }

  settle(jobId: string, outcome: CommitOutcome): void {
    const entry = this.open.get(jobId);
    if (entry === undefined) return;
    this.open.delete(jobId);
    this.onSettle();
    entry.resolve(outcome);
  }

  /** Nothing is known of the rest, so it counts as not committed. */
  settleRest(): void {
    for (const jobId of [...this.open.keys()]) this.settle(jobId, "lost");
  }
}
