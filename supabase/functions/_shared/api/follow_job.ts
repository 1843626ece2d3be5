import { errorReply, toApiError } from "../http/error_reply.ts";
import type { UserStore } from "../store/user_store.ts";
import type { JobStanding } from "../store/user_store/jobs.ts";
import { formatEvent, HEARTBEAT } from "./server_sent_event.ts";

/** How a job is followed. */
export interface FollowJob {
  jobId: string;
  /** Only events after this one; 0: all. */
  after: number;
  /** How the job stood when the stream was asked for. */
  standing: JobStanding;
  requestId: string;
  /** Aborts when the client has gone. */
  signal: AbortSignal;
  /** Milliseconds on a clock that never jumps. */
  now(): number;
  /** Waits for a number of milliseconds. */
  sleep(ms: number): Promise<void>;
}

/** Time limit of a stream, in milliseconds: below what Supabase allows a worker. */
const LIMIT_MS = 120_000;
/** Between two looks at the database, in milliseconds. */
const INTERVAL_MS = 1_000;
/** Longest silence, in milliseconds: proxies close what says nothing. */
const HEARTBEAT_MS = 15_000;
/** Most events of one look. */
const BATCH = 100;
const ENDED: ReadonlySet<string> = new Set(["completed", "failed", "cancelled"]);

/**
 * The text of an event stream: `status` at the beginning and whenever it changes, `event` for each
 * row of `job_events`, at last `end` with the reason. An error ends it with `error`.
 */
export async function* followJob(store: UserStore, options: FollowJob): AsyncGenerator<string> {
  try {
    yield* follow(store, options);
  } catch (error) {
    const { body } = errorReply(toApiError(error), options.requestId);
    yield formatEvent({ event: "error", data: body });
  }
}

async function* follow(store: UserStore, options: FollowJob): AsyncGenerator<string> {
  const { jobId, signal, now, sleep } = options;
  const start = now();
  let { after, standing } = options;
  let told: JobStanding | undefined;
  let spoken = start;
  while (!signal.aborted) {
    // The standing was read before the events: those of the commit that ended the job are in.
    const events = await store.listEvents({ jobId, after, limit: BATCH });
    let text = "";
    for (const { id, ...event } of events) {
      // A job's events are written by the owner of its lease alone, so ids grow as they commit.
      text += formatEvent({ event: "event", id, data: { id, ...event } });
      after = id;
    }
    const caughtUp = events.length < BATCH;
    if (caughtUp && (told === undefined || differ(standing, told))) {
      told = standing;
      text += formatEvent({ event: "status", data: { job_id: jobId, ...standing } });
    }
    if (text === "" && now() - spoken >= HEARTBEAT_MS) text = HEARTBEAT;
    if (text !== "") {
      yield text;
      spoken = now();
    }
    if (caughtUp) {
      const reason = ENDED.has(standing.status) ? "job_ended" : isOver(now() - start);
      if (reason !== null) {
        yield formatEvent({ event: "end", data: { reason } });
        return;
      }
      await sleep(INTERVAL_MS);
    }
    standing = await store.jobStanding(jobId);
  }
}

function isOver(ms: number): "time_limit" | null {
  return ms >= LIMIT_MS ? "time_limit" : null;
}

function differ(one: JobStanding, other: JobStanding): boolean {
  return one.status !== other.status || one.current_step_id !== other.current_step_id ||
    one.run_number !== other.run_number;
}
