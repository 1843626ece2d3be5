import type {
  ClaimedJob,
  JobCommit,
  Spawn,
  Waiting,
} from "../../supabase/functions/_shared/contracts/turn.ts";
import type { TestDatabase } from "./database.ts";
import { claimOne, commit, commitOf, type CommitReply, insertJob } from "./engine.ts";

/** Children of a claimed job's current step, as a map would start them. */
export function spawnOf(job: ClaimedJob, count: number, columns: Partial<Spawn> = {}): Spawn {
  return {
    ...{ job_id: job.job_id, step_id: "each", visit: 1, max_running: 0, lease: false },
    ...{ detached: false, workflow_id: null, workflow_version: null },
    children: Array.from({ length: count }, (_, index) => ({
      ...{ index, branch: "each", start_step: "work", item: { n: index } },
    })),
    ...columns,
  };
}

/** The commit by which a job waits for that many new children. */
export function awaitsChildren(
  job: ClaimedJob,
  spawned: number | null,
  columns: Partial<JobCommit> = {},
): JobCommit {
  return commitOf(job, {
    ...{ status: "waiting", awaits_children: true, spawned, max_failed_children: 0 },
    ...{ current_step_id: "each", state: { waiting: WAITING } },
    ...columns,
  });
}

const WAITING: Waiting = {
  kind: "children",
  since: "2030-01-01T00:00:00Z",
  until: null,
  total: 1,
  tolerated: 0,
};

/** A waiting parent and its children, none of them claimed unless `columns.lease` says so. */
export interface Family {
  parent: string;
  /** In the order of their index. */
  children: string[];
  reply: CommitReply;
}

/** Starts a job of Alice's that waits for that many children. */
export async function startFamily(
  db: TestDatabase,
  count: number,
  columns: Partial<Spawn> = {},
  parentColumns: Record<string, unknown> = {},
): Promise<Family> {
  const parent = await insertJob(db, { priority: 9, ...parentColumns });
  const job = await claimOne(db);
  if (job.job_id !== parent) throw new Error("another job was due before the parent");
  const reply = await commit(db, [awaitsChildren(job, count)], {
    spawns: [spawnOf(job, count, columns)],
  });
  return { parent, children: await childrenOf(db, parent), reply };
}

/** The ids of a job's children in the order of their index. */
export async function childrenOf(db: TestDatabase, parent: string): Promise<string[]> {
  const rows = await db`select id from public.jobs where parent_job_id = ${parent}
    order by item_index`;
  return rows.map(({ id }) => id);
}
