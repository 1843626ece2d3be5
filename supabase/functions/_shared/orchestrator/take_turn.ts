import { errorInfo } from "../contracts/errors.ts";
import type { JobWrite, TurnReply, TurnRequest, UnreadableJob } from "../contracts/turn.ts";
import type { Log } from "../log.ts";
import type { EngineStore } from "../store/engine_store.ts";
import {
  DatabaseUnavailableError,
  StatementTimeoutError,
  TransactionConflictError,
} from "../store/errors.ts";
import type { Sleep } from "../store/retrying.ts";

const PAUSE_MS = 500;

/** What taking a turn needs. */
export interface TurnDependencies {
  store: Pick<EngineStore, "turn">;
  log: Log;
  clock: { elapsed(): number };
  config: { leaseSeconds: number };
  sleep?: Sleep;
}

/**
 * Takes a turn whatever comes in between: while the database is away it is tried again for as long
 * as leases hold, a turn that takes the database too long is taken apart, and a write that it refuses
 * fails its own job and no other.
 *
 * @returns null when the database stayed away: nothing that was held is ours any more
 * @throws what the database says when it refuses a turn that writes nothing
 */
export async function takeTurn(
  deps: TurnDependencies,
  request: TurnRequest,
): Promise<TurnReply | null> {
  const giveUpAt = deps.clock.elapsed() + deps.config.leaseSeconds * 1000;
  try {
    return await untilAnswered(deps, request, giveUpAt);
  } catch (error) {
    const jobs = sizeOf(request);
    if (jobs === 0) throw error;
    deps.log.error("commit_refused", { jobs, error });
    return await takeApart(deps, request, giveUpAt);
  }
}

function sizeOf({ writes, spawning }: TurnRequest): number {
  return writes.length + spawning.length;
}

/** The turn's answer; null when none has come in time. @throws a refusal */
async function untilAnswered(
  { store, log, clock, sleep = pause }: TurnDependencies,
  request: TurnRequest,
  giveUpAt: number,
): Promise<TurnReply | null> {
  for (let attempt = 1;; attempt++) {
    try {
      return await store.turn(request);
    } catch (error) {
      const isTooLarge = error instanceof StatementTimeoutError && sizeOf(request) > 0;
      if (!isPassing(error) || isTooLarge) throw error;
      log.warn("database_unavailable", { attempt, error: String(error) });
      if (clock.elapsed() >= giveUpAt) return null;
      await sleep(PAUSE_MS * (0.5 + Math.random()));
    }
  }
}

/** Commits one by one; a write that is refused once more becomes the failure of its job. */
async function takeApart(
  deps: TurnDependencies,
  request: TurnRequest,
  giveUpAt: number,
): Promise<TurnReply | null> {
  const nothing = { writes: [], spawning: [] };
  const alone = {
    ...{ ...request, ...nothing, claim: 0, extend: [], leaving: false, look_ahead: false },
  };
  const parts: Pick<TurnReply, "results" | "spawned" | "woken" | "claimed" | "scopes"> = {
    ...{ results: [], spawned: [], woken: [], claimed: [], scopes: [] },
  };
  for (const kind of ["spawning", "writes"] as const) {
    for (const write of request[kind]) {
      const { job_id } = write.job;
      try {
        const reply = await untilAnswered(deps, { ...alone, [kind]: [write] }, giveUpAt);
        if (reply === null) return null;
        parts.results.push(...reply.results);
        parts.spawned.push(...reply.spawned);
        parts.woken.push(...reply.woken);
        parts.claimed.push(...reply.claimed);
        parts.scopes.push(...reply.scopes);
      } catch (error) {
        deps.log.error("write_refused", { job_id, error });
        // One that takes too long is left to its lease: it may pass when the database is less busy.
        if (!(error instanceof StatementTimeoutError)) {
          await fail(deps, { ...alone, writes: [failureOf(write)] }, giveUpAt);
        }
        // Whatever the failure came to, the decision that was made has not been written.
        (kind === "writes" ? parts.results : parts.spawned).push({ job_id, committed: false });
      }
    }
  }
  const rest = await untilAnswered(deps, { ...request, ...nothing }, giveUpAt);
  if (rest === null) return null;
  return {
    ...rest,
    results: parts.results,
    spawned: parts.spawned,
    woken: [...parts.woken, ...rest.woken],
    claimed: [...parts.claimed, ...rest.claimed],
    scopes: [...parts.scopes, ...rest.scopes],
  };
}

async function fail(
  deps: TurnDependencies,
  request: TurnRequest,
  giveUpAt: number,
): Promise<void> {
  try {
    await untilAnswered(deps, request, giveUpAt);
  } catch (error) {
    // Left to its lease: the attempt is made again, at most max_redeliveries times.
    deps.log.error("failure_refused", { job_id: request.writes[0]?.job.job_id, error });
  }
}

/** The end of a job whose decision cannot be stored, without any of what was to be stored. */
function failureOf({ job, consumed }: JobWrite): JobWrite {
  const failure = failureWithout(job, "What the step produced could not be stored", consumed);
  // What a retry counts on: it must not make a visit anew that has its records.
  const { visit, attempt, visits, entered_at, previous_step, events, not_before } = job.state;
  const state = { visit, attempt, visits, entered_at, previous_step, events, not_before };
  return { ...failure, job: { ...failure.job, state } };
}

/** The end of a job whose row cannot be read, whoever claims it. */
export function unreadableFailure(job: UnreadableJob): JobWrite {
  return failureWithout(job, "The engine cannot read what it has stored of this job", []);
}

function failureWithout(job: UnreadableJob, message: string, consumed: number[]): JobWrite {
  const { job_id, version, current_step_id, redeliveries, retry_count } = job;
  return {
    job: {
      ...{ job_id, version, current_step_id, redeliveries, retry_count },
      status: "failed",
      state: {},
      step_data: {},
      next_run_at: null,
      next_retry_at: null,
      final_result: null,
      error: errorInfo("internal", message, { retryable: false }),
      spawned: null,
      max_failed_children: null,
      joined_failures: null,
      force: true,
      awaits_children: false,
      admission: null,
    },
    steps: [],
    events: [],
    consumed,
  };
}

function isPassing(error: unknown): boolean {
  return error instanceof DatabaseUnavailableError || error instanceof TransactionConflictError;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
