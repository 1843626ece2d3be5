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
  /** Children that the job may have. */
  children: number;
  resolve: (outcome: CommitOutcome) => void;
}

/**
 * Decisions that wait for the next turn: while one is under way, all that come gather here. Those
 * that start children go before the others, and are no reason for a turn by themselves.
 */
export class CommitQueue {
  private waiting = new Map<string, Waiting>();
  private spawning = new Map<string, Waiting>();
  private readonly onSettle: () => void;

  /** @param onSettle called for each write just before its outcome is told */
  constructor(onSettle: () => void) {
    this.onSettle = onSettle;
  }

  /** How many writes wait that are reason for a turn. */
  get size(): number {
    return this.waiting.size;
  }

  /**
   * Resolves when it is known what became of the write.
   *
   * @param children how many the job may have, all of which the write may have to touch
   */
  add(write: JobWrite, children = 0): Promise<CommitOutcome> {
    const { job_id } = write.job;
    return new Promise((resolve) => this.waiting.set(job_id, { write, children, resolve }));
  }

  /** As `add`, for a write that starts children, which may have writes of their own in this turn. */
  addSpawn(write: JobWrite): Promise<CommitOutcome> {
    const { job_id } = write.job;
    return new Promise((resolve) => this.spawning.set(job_id, { write, children: 0, resolve }));
  }

  /** What waits for a job that is not ours any more is void. */
  withdraw(jobId: string): void {
    for (const queue of [this.spawning, this.waiting]) {
      const entry = queue.get(jobId);
      if (entry === undefined) continue;
      queue.delete(jobId);
      this.onSettle();
      entry.resolve("lost");
    }
  }

  /**
   * What waits, to be committed together: all of it, but for what would make the turn too long for
   * the database, which stays for the next.
   */
  take(): CommitBatch {
    const taken = new Map<string, Waiting>();
    let weight = 0;
    for (const [jobId, entry] of this.waiting) {
      weight += weightOf(entry);
      if (weight > MAX_BATCH_WEIGHT && taken.size > 0) break;
      taken.set(jobId, entry);
      this.waiting.delete(jobId);
    }
    const batch = new CommitBatch(taken, this.spawning, this.onSettle);
    this.spawning = new Map();
    return batch;
  }
}

/** Rows that one turn writes at most, about: a fraction of what fits into the statement timeout. */
const MAX_BATCH_WEIGHT = 20_000;

/** About how many rows a write touches. */
function weightOf({ write, children }: Waiting): number {
  const told = write.childMessage === undefined && write.reopening === undefined ? 0 : children;
  return 1 + (write.spawn?.children.length ?? 0) + told;
}

/**
 * The writes of one turn. A job has at most one of each kind: its next decision waits for this
 * one's outcome.
 */
export class CommitBatch {
  readonly writes: readonly JobWrite[];
  readonly spawning: readonly JobWrite[];
  /** How many of the jobs park or end with it. */
  readonly ending: number;
  private readonly open: Map<string, Waiting>;
  private readonly openSpawns: Map<string, Waiting>;
  private readonly onSettle: () => void;

  constructor(
    open: Map<string, Waiting>,
    openSpawns: Map<string, Waiting>,
    onSettle: () => void,
  ) {
    this.open = open;
    this.openSpawns = openSpawns;
    this.writes = [...open.values()].map(({ write }) => write);
    this.spawning = [...openSpawns.values()].map(({ write }) => write);
    this.ending = this.writes.filter(({ job }) => job.status !== "running").length;
    this.onSettle = onSettle;
  }

  has(jobId: string): boolean {
    return this.open.has(jobId);
  }

  settle(jobId: string, outcome: CommitOutcome): void {
    this.close(this.open, jobId, outcome);
  }

  /** As `settle`, of a write that starts children. */
  settleSpawn(jobId: string, outcome: CommitOutcome): void {
    this.close(this.openSpawns, jobId, outcome);
  }

  /** Nothing is known of the rest, so it counts as not committed. */
  settleRest(): void {
    for (const open of [this.openSpawns, this.open]) {
      for (const jobId of [...open.keys()]) this.close(open, jobId, "lost");
    }
  }

  private close(open: Map<string, Waiting>, jobId: string, outcome: CommitOutcome): void {
    const entry = open.get(jobId);
    if (entry === undefined) return;
    open.delete(jobId);
    this.onSettle();
    entry.resolve(outcome);
  }
}
