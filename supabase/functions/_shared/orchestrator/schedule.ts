import type { JobWrite, TurnReply, TurnRequest } from "../contracts/turn.ts";
import type { OrchestratorConfig } from "./config.ts";

/**
 * A turn of this many jobs tells the database that no kicks are needed for 25 ms (`kick_needed`):
 * the run owes it one more look after that.
 */
const BUSY_BATCH = 8;
const SETTLE_MS = 30;

/**
 * After a kick the database sends none for 200 ms, whatever is inserted (`kick_after_insert`): the
 * run that was kicked owes it one more look after that, for messages too.
 */
const QUIET_MS = 250;
/** Reasons of the kicks that the database sends. */
const DATABASE_REASONS: ReadonlySet<string> = new Set(["insert", "message", "tick"]);

/** A due job that could not be claimed is locked by somebody: not to be looked at in a circle. */
const LOCKED_RETRY_MS = 50;
const MIN_LOOK_MS = 5;

/** Left between the last task's time limit and the end of a run, in ms. */
const END_MARGIN_MS = 5_000;

/**
 * When a run looks, extends its leases, stops claiming and ends. All times in ms of a clock that
 * never jumps: what the database says of time counts as distance from its own now.
 */
export class Schedule {
  private readonly config: OrchestratorConfig;
  private readonly claimUntil: number;
  private readonly wallAt: number;
  private lookRequested = true;
  private messagesExpected = false;
  /** When something falls due, as far as it is known. */
  private nextLookAt = Infinity;
  /** When to look because no kick was asked for in the meantime. */
  private owedLookAt = Infinity;
  /** As `owedLookAt`, for what was inserted shortly after a kick of the database. */
  private quietLookAt = Infinity;
  /** A job was parked until some time: the next look is to find out when. */
  private parked = false;
  private nextExtendAt: number;
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

  private get lookAt(): number {
    return Math.min(this.nextLookAt, this.owedAt);
  }

  private get owedAt(): number {
    return Math.min(this.owedLookAt, this.quietLookAt);
  }

  isAccepting(now: number, steps: number): boolean {
    return !this.stopped && now < this.claimUntil && steps < this.config.maxSteps;
  }

  kicked(reason: string, now: number): void {
    this.lookRequested = true;
    if (DATABASE_REASONS.has(reason)) this.quietLookAt = now + QUIET_MS;
    if (reason !== "start") this.messagesExpected = true;
  }

  /** Whatever is due now is somebody else's. */
  stop(): void {
    this.stopped = true;
  }

  isTurnDue(now: number, held: number, accepting: boolean): boolean {
    if (held > 0 && this.isExtendDue(now)) return true;
    return accepting && held < this.config.slots && (this.lookRequested || now >= this.lookAt);
  }

  /** Extending brings along the messages of the jobs that are held. */
  isExtendDue(now: number): boolean {
    return this.messagesExpected || now >= this.nextExtendAt || now >= this.quietLookAt;
  }

  /** Whether a turn is to ask when the next job falls due. @param held jobs that remain after it */
  looksAhead(held: number, writes: readonly JobWrite[]): boolean {
    return held === 0 || this.parked || hasParked(writes);
  }

  /** Whether the run may say with this turn that it leaves, if nothing is claimed. */
  mayLeave(now: number, writes: number, accepting: boolean): boolean {
    if (!accepting) return true; // another looks for it: see takeOwedLook()
    const owed = Math.max(...[this.owedLookAt, this.quietLookAt].filter(Number.isFinite), now);
    return writes < BUSY_BATCH && now >= owed;
  }

  /**
   * Whether a look is due that was owed to the database, which keeps its kicks back for it. A run
   * that takes on nothing any more takes it over here, and has another run look.
   */
  takeOwedLook(now: number): boolean {
    if (now < this.owedAt) return false;
    this.owedLookAt = Infinity;
    this.quietLookAt = Infinity;
    return true;
  }

  turnStarted(now: number, request: TurnRequest): void {
    if (this.isExtendDue(now)) this.nextExtendAt = now + this.extendEvery;
    this.messagesExpected = false;
    if (now >= this.quietLookAt) {
      this.quietLookAt = Infinity;
      // The messages are read with this turn, but what was inserted is still to be looked for.
      if (request.claim === 0) this.owedLookAt = Math.min(this.owedLookAt, now);
    }
    this.parked ||= hasParked(request.writes);
    if (request.claim === 0) return; // nobody has looked
    this.lookRequested = false;
    if (now >= this.nextLookAt) this.nextLookAt = Infinity;
    if (now >= this.owedLookAt) this.owedLookAt = Infinity;
  }

  turnEnded(now: number, request: TurnRequest, reply: TurnReply): void {
    const batch = request.writes.length + reply.claimed.length;
    if (batch >= BUSY_BATCH) this.owedLookAt = now + SETTLE_MS;
    if (request.claim > 0 && reply.claimed.length >= request.claim) this.lookRequested = true;
    if (request.look_ahead && reply.claimed.length === 0) {
      this.nextLookAt = this.lookFor(now, reply);
      this.parked = this.nextLookAt !== Infinity;
    }
    if (reply.events_left) this.nextLookAt = Math.min(this.nextLookAt, now + LOCKED_RETRY_MS);
  }

  private lookFor(now: number, { now: databaseNow, next_run_at }: TurnReply): number {
    if (next_run_at === null) return Infinity;
    const dueIn = Date.parse(next_run_at) - Date.parse(databaseNow);
    // Nor is a time waited for that is none here: `infinity`, or a year beyond 9999.
    if (!(dueIn <= this.config.lingerMs)) return Infinity;
    return now + (dueIn <= 0 ? LOCKED_RETRY_MS : Math.max(dueIn + 1, MIN_LOOK_MS));
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
    if (!accepting) return this.owedAt === Infinity;
    return !this.lookRequested && this.lookAt === Infinity;
  }

  /** Until something of this becomes due, in ms. */
  msToNext(now: number, held: number, accepting: boolean): number {
    const next = Math.min(
      this.wallAt,
      held > 0 ? Math.min(this.nextExtendAt, this.quietLookAt) : this.claimUntil,
      accepting && held < this.config.slots ? this.lookAt : Infinity,
      accepting ? Infinity : this.owedAt,
    );
    return Math.max(next - now, 0);
  }
}

function hasParked(writes: readonly JobWrite[]): boolean {
  return writes.some(({ job }) => job.next_run_at !== null);
}
