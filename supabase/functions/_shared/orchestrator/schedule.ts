import type { TurnReply, TurnRequest } from "../contracts/turn.ts";
import type { OrchestratorConfig } from "./config.ts";

/**
 * A turn of this many jobs tells the database that no kicks are needed for 25 ms (`kick_needed`):
 * the run owes it one more look after that.
 */
const BUSY_BATCH = 8;
const SETTLE_MS = 30;

/** A due job that could not be claimed is locked by somebody: not to be looked at in a circle. */
const LOCKED_RETRY_MS = 50;

/** Left between the last task's time limit and the end of a run, in ms. */
const END_MARGIN_MS = 5_000;

/** When a run looks, extends its leases, stops claiming and ends. All times in ms. */
export class Schedule {
  private readonly config: OrchestratorConfig;
  private readonly claimUntil: number;
  private readonly wallAt: number;
  private lookRequested = true;
  private messagesExpected = false;
  private nextLookAt = Infinity;
  private nextExtendAt: number;
  private lastBatch = 0;
  private stopped = false;

  constructor(config: OrchestratorConfig, now: number) {
    this.config = config;
    this.claimUntil = now + config.claimSeconds * 1000;
    this.wallAt = now + config.wallSeconds * 1000;
    this.nextExtendAt = now + this.extendEvery;
  }

  private get extendEvery(): number {
    return this.config.leaseSeconds * 1000 / 3;
  }

  isAccepting(now: number, steps: number): boolean {
    return !this.stopped && now < this.claimUntil && steps < this.config.maxSteps;
  }

  kicked(reason: string): void {
    this.lookRequested = true;
    if (reason !== "start") this.messagesExpected = true;
  }

  /** Whatever is due now is somebody else's. */
  stop(): void {
    this.stopped = true;
  }

  isTurnDue(now: number, held: number, accepting: boolean): boolean {
    if (held > 0 && this.isExtendDue(now)) return true;
    return accepting && held < this.config.slots && (this.lookRequested || now >= this.nextLookAt);
  }

  /** Extending brings along the messages of the jobs that are held. */
  isExtendDue(now: number): boolean {
    return this.messagesExpected || now >= this.nextExtendAt;
  }

  /** Whether the run may say with this turn that it leaves, if nothing is claimed. */
  mayLeave(writes: number): boolean {
    return Math.max(writes, this.lastBatch) < BUSY_BATCH;
  }

  turnStarted(now: number): void {
    if (this.isExtendDue(now)) this.nextExtendAt = now + this.extendEvery;
    this.lookRequested = false;
    this.messagesExpected = false;
    this.nextLookAt = Infinity;
  }

  turnEnded(now: number, request: TurnRequest, reply: TurnReply): void {
    this.lastBatch = request.writes.length + reply.claimed.length;
    if (this.lastBatch >= BUSY_BATCH) this.nextLookAt = now + SETTLE_MS;
    if (reply.next_run_at === null) return;
    const due = Date.parse(reply.next_run_at);
    if (due - now <= this.config.lingerMs) {
      this.nextLookAt = Math.min(this.nextLookAt, Math.max(due + 1, now + LOCKED_RETRY_MS / 10));
      if (due <= now) this.nextLookAt = now + LOCKED_RETRY_MS;
    }
  }

  /** Whether a task with this time limit can end before the run must. */
  hasTimeFor(now: number, timeoutSeconds: number): boolean {
    const needed = timeoutSeconds * 1000 + END_MARGIN_MS;
    // One that fits into no run is sent all the same: no other could do better.
    return now + needed <= this.wallAt || needed > this.config.wallSeconds * 1000;
  }

  isOver(now: number, held: number, accepting: boolean): boolean {
    if (now >= this.wallAt) return true;
    if (held > 0) return false;
    return !accepting || (!this.lookRequested && this.nextLookAt === Infinity);
  }

  /** Until something of this becomes due, in ms. */
  msToNext(now: number, held: number): number {
    const next = Math.min(
      this.wallAt,
      held > 0 ? this.nextExtendAt : this.claimUntil,
      held < this.config.slots && now < this.claimUntil ? this.nextLookAt : Infinity,
    );
    return Math.max(next - now, 0);
  }
}
