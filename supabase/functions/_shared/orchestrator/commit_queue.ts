import type { JobWrite } from "../contracts/turn.ts";

interface Waiting {
  write: JobWrite;
  resolve: (committed: boolean) => void;
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

  /** Resolves when the write is durable (true), or when the job was not ours any more (false). */
  add(write: JobWrite): Promise<boolean> {
    return new Promise((resolve) => this.waiting.set(write.job.job_id, { write, resolve }));
  }

  /** What waits for a job that is not ours any more is void. */
  withdraw(jobId: string): void {
    const entry = this.waiting.get(jobId);
    if (entry === undefined) return;
    this.waiting.delete(jobId);
    this.onSettle();
    entry.resolve(false);
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

  settle(jobId: string, committed: boolean): void {
    const entry = this.open.get(jobId);
    if (entry === undefined) return;
    this.open.delete(jobId);
    this.onSettle();
    entry.resolve(committed);
  }

  /** Nothing is known of the rest, so it counts as not committed. */
  settleRest(): void {
    for (const jobId of [...this.open.keys()]) this.settle(jobId, false);
  }
}
