import type { SupabaseClient } from "@supabase/supabase-js";
import { z } from "zod";
import {
  type ClaimedJob,
  claimedJobSchema,
  type JobWrite,
  type TurnReply,
  turnReplySchema,
  type TurnRequest,
  type UnreadableJob,
  unreadableJobSchema,
} from "../contracts/turn.ts";
import type { Log } from "../log.ts";
import { unwrap } from "./errors.ts";
import { retrying, type Sleep } from "./retrying.ts";

/** What the orchestrator does in the database: one method per SQL function. */
export interface EngineStore {
  /**
   * Commits, extends and claims in one transaction. Sent again after a conflict or a broken
   * connection: a commit that was applied already is reported as committed, not applied twice.
   *
   * @throws {DatabaseUnavailableError} when the database does not answer
   * @throws {StoreError} when it refuses, and nothing was written
   */
  turn(request: TurnRequest): Promise<TurnReply>;
  /** Lets the database call fresh orchestrators for what is due. Throws as `turn` does. */
  tick(): Promise<void>;
}

/** The store over the Data API. */
export function createEngineStore(client: SupabaseClient, log: Log, sleep?: Sleep): EngineStore {
  return {
    async turn(request) {
      const body = turnArgument(request);
      const reply = await retrying(async () => unwrap(await client.rpc("turn", body)), sleep);
      return readReply(reply, log);
    },

    async tick() {
      await retrying(async () => unwrap(await client.rpc("tick")), sleep);
    },
  };
}

/** The argument of the SQL function: the writes of all jobs as flat lists. */
export function turnArgument(request: TurnRequest): { p_turn: unknown } {
  const { writes, spawning, ...rest } = request;
  return { p_turn: { ...rest, spawning: commitOf(spawning), commit: commitOf(writes) } };
}

function commitOf(writes: readonly JobWrite[]) {
  return writes.length === 0 ? null : {
    jobs: writes.map((write) => write.job),
    steps: writes.flatMap((write) => write.steps),
    events: writes.flatMap((write) => write.events),
    consumed: writes.flatMap((write) =>
      write.consumed.map((id) => ({ job_id: write.job.job_id, id }))
    ),
    spawns: writes.flatMap(({ spawn }) => spawn ?? []),
    child_messages: writes.flatMap(({ childMessage }) => childMessage ?? []),
    reopenings: writes.flatMap(({ reopening }) => reopening ?? []),
    subscriptions: writes.flatMap(({ subscription }) => subscription ?? []),
    unsubscribed: writes.flatMap(({ unsubscribe, job }) => unsubscribe ? job.job_id : []),
    approvals: writes.flatMap(({ approval }) => approval ?? []),
    closed_approvals: writes.flatMap(({ closeApproval, job }) =>
      closeApproval === undefined ? [] : { job_id: job.job_id, status: closeApproval }
    ),
  };
}

const replySchema = turnReplySchema.extend({ claimed: z.array(z.unknown()) });

/**
 * A job that cannot be read (a newer version's state, a hand's change) is set apart, and holds up no
 * other.
 */
function readReply(reply: unknown, log: Log): TurnReply {
  const { claimed: rows, ...rest } = replySchema.parse(reply);
  const claimed: ClaimedJob[] = [];
  const unreadable: UnreadableJob[] = [];
  for (const row of rows) {
    const read = claimedJobSchema.safeParse(row);
    if (read.success) claimed.push(read.data);
    else {
      const left = unreadableJobSchema.safeParse(row);
      if (left.success) unreadable.push(left.data);
      log.error("job_unreadable", {
        job_id: (row as { job_id?: unknown } | null)?.job_id,
        problems: z.prettifyError(read.error),
      });
    }
  }
  return { ...rest, claimed, unreadable };
}
