import type { Sql } from "postgres";
import { StackError } from "../error.ts";
import { describeDueJob, type DueJob } from "./due_job.ts";

/** How a move is to be made; every field may be left out. */
export interface MoveOptions {
  /** How long to wait for the end of what is under way, in ms. Default: 30 s. */
  waitMs?: number;
  /** Waits for nothing: leases run out in the move, and attempts may be redelivered. */
  force?: boolean;
}

/** What a move has done. */
export interface Move {
  from: Date;
  to: Date;
  /** How many jobs became due by it. */
  due: number;
  /** The first of them, at most 20. */
  jobs: DueJob[];
}

type Outcome =
  | { outcome: "moved"; from: string; to: string; due: number; jobs: DueJob[] }
  | { outcome: "busy"; jobs: DueJob[]; events: boolean }
  | { outcome: "too_far"; to: string }
  | { outcome: "nothing" };

const LOOK_EVERY_MS = 20;
const DEFAULT_WAIT_MS = 30_000;
/** SQLSTATE of a lock that was not to be had in time: transactions that read the clock are open. */
const LOCK_NOT_AVAILABLE = "55P03";

/**
 * The clock of an engine whose database has `clock.sql`. It only goes forward. Before a move it is
 * waited for the end of what is leased or due, as a lease does not outlive a leap of time.
 */
export class VirtualClock {
  /** @param db must be connected as `postgres` to the database in question */
  constructor(readonly db: Sql) {}

  /** What the engine takes for the present. */
  async now(): Promise<Date> {
    const [row] = await this.db`select millrace_local.now_ms() as ms`;
    return new Date(Math.floor(Number(row?.ms)));
  }

  /** How far it is ahead of real time, in ms. */
  async aheadMs(): Promise<number> {
    const [row] = await this.db`select ahead_ms from millrace_local.clock`;
    return Number(row?.ahead_ms);
  }

  /** Moves to a time; at once where it has passed. @throws StackError when work does not end */
  async moveTo(to: Date, options: MoveOptions = {}): Promise<Move> {
    const move = await this.#move(to, false, options);
    return move ?? { from: to, to, due: 0, jobs: [] };
  }

  /** Moves forward by a duration. @throws StackError when work does not end */
  async advance(ms: number, options: MoveOptions = {}): Promise<Move> {
    return await this.moveTo(new Date((await this.now()).getTime() + ms), options);
  }

  /**
   * Moves to the moment when the next job falls due; `undefined` when none does.
   *
   * @throws StackError when work does not end
   */
  async next(options: MoveOptions = {}): Promise<Move | undefined> {
    return await this.#move(null, false, options);
  }

  /** Moves to a time by way of every moment until then when a job falls due: yields each move. */
  async *stepTo(to: Date, options: MoveOptions = {}): AsyncGenerator<Move> {
    for (;;) {
      const move = await this.#move(to, true, options);
      if (move === undefined) return;
      yield move;
      if (move.to >= to) return;
    }
  }

  async #move(to: Date | null, step: boolean, options: MoveOptions): Promise<Move | undefined> {
    const { waitMs = DEFAULT_WAIT_MS, force = false } = options;
    const giveUpAt = performance.now() + waitMs;
    for (;;) {
      const result = await this.#tryToMove(to, step, force);
      if (result.outcome === "moved") {
        return { ...result, from: new Date(result.from), to: new Date(result.to) };
      }
      if (result.outcome === "nothing") return undefined;
      if (result.outcome === "too_far") {
        throw new StackError(`The clock can be at most 100 years ahead: ${result.to} is too far`);
      }
      if (performance.now() > giveUpAt) throw new StackError(explain(result, waitMs));
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  }

  async #tryToMove(to: Date | null, step: boolean, force: boolean): Promise<Outcome> {
    try {
      const [row] = await this.db`select millrace_local.move_clock(
        ${to === null ? null : to.toISOString()}, ${step}, ${force}) as result`;
      return row?.result;
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === LOCK_NOT_AVAILABLE) {
        return { outcome: "busy", jobs: [], events: false };
      }
      throw error;
    }
  }
}

function explain({ jobs, events }: { jobs: DueJob[]; events: boolean }, waitMs: number): string {
  const what = [
    ...jobs.map((job) => `  ${describeDueJob(job)}`),
    ...(events ? ["  events wait to be delivered"] : []),
  ];
  if (what.length === 0) what.push("  an open transaction has read the clock");
  return `Cannot move the clock as work is under way for ${waitMs / 1000} s:\n` +
    `${what.join("\n")}\nWait longer, or move at once with --force: ` +
    "attempts that are out may then be delivered once more";
}
