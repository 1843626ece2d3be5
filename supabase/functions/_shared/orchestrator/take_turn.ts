import { errorInfo } from "../contracts/errors.ts";
import type { JobWrite, TurnReply, TurnRequest } from "../contracts/turn.ts";
import type { Log } from "../log.ts";
import type { EngineStore } from "../store/engine_store.ts";
import { DatabaseUnavailableError, StoreError, TransactionConflictError } from "../store/errors.ts";

const PAUSE_MS = 500;

interface TurnDependencies {
  store: EngineStore;
  log: Log;
  config: { leaseSeconds: number };
}

/**
 * Takes a turn whatever comes in between: while the database is away it is tried again for as long
 * as leases hold, and a write that the database refuses fails its own job and no other.
 *
 * @returns null when the database stayed away: nothing that was held is ours any more
 */
export async function takeTurn(
  deps: TurnDependencies,
  request: TurnRequest,
): Promise<TurnReply | null> {
  const { store, log, config } = deps;
  const tries = Math.ceil(config.leaseSeconds * 1000 / PAUSE_MS);
  for (let attempt = 1; attempt <= tries; attempt++) {
    try {
      return await store.turn(request);
    } catch (error) {
      if (!isPassing(error)) {
        if (!(error instanceof StoreError) || request.writes.length === 0) throw error;
        log.error("commit_refused", { jobs: request.writes.length, error });
        return await takeApart(deps, request);
      }
      log.warn("database_unavailable", { attempt, error: String(error) });
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * (0.5 + Math.random())));
    }
  }
  return null;
}

/** Commits one by one; a write that is refused once more becomes the failure of its job. */
async function takeApart(deps: TurnDependencies, request: TurnRequest): Promise<TurnReply | null> {
  const only = { claim: 0, extend: [], leaving: false, look_ahead: false };
  const results: TurnReply["results"] = [];
  const woken: TurnReply["woken"] = [];
  for (const write of request.writes) {
    const { job_id } = write.job;
    const reply = await tryTurn(deps, { ...request, ...only, writes: [write] });
    if (reply !== null) {
      results.push(...reply.results);
      woken.push(...reply.woken);
    } else {
      await tryTurn(deps, { ...request, ...only, writes: [failureOf(write)] });
      // Whatever the failure came to, the decision that was made has not been written.
      results.push({ job_id, committed: false });
    }
  }
  const rest = await takeTurn(deps, { ...request, writes: [] });
  return rest && { ...rest, results, woken: [...woken, ...rest.woken] };
}

async function tryTurn(deps: TurnDependencies, request: TurnRequest): Promise<TurnReply | null> {
  try {
    return await deps.store.turn(request);
  } catch (error) {
    const job_id = request.writes[0]?.job.job_id;
    deps.log.error("write_refused", { job_id, error });
    return null;
  }
}

/** The end of a job whose decision cannot be stored, without any of what was to be stored. */
function failureOf({ job, consumed }: JobWrite): JobWrite {
  const error = errorInfo("internal", "What the step produced could not be stored", {
    retryable: false,
  });
  return {
    job: {
      ...job,
      status: "failed",
      state: {},
      step_data: {},
      next_run_at: null,
      next_retry_at: null,
      final_result: null,
      error,
    },
    steps: [],
    events: [],
    consumed,
  };
}

function isPassing(error: unknown): boolean {
  return error instanceof DatabaseUnavailableError || error instanceof TransactionConflictError;
}
