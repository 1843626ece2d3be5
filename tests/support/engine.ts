import type {
  ApprovalRequest,
  ChildMessage,
  ClaimedJob,
  JobCommit,
  Message,
  Reopening,
  Spawn,
  Subscription,
  TurnReply,
} from "../../supabase/functions/_shared/contracts/turn.ts";
import type { TestDatabase } from "./database.ts";
import { ALICE } from "./seed_database.ts";

/** Two owners of leases. */
export const TOKEN = "10000000-0000-4000-8000-000000000001";
export const OTHER_TOKEN = "20000000-0000-4000-8000-000000000002";

/** Columns of `jobs` by their names. */
export type JobColumns = Record<string, unknown>;

/** Inserts a job of Alice's, as `postgres`, with these columns; returns its id. */
export async function insertJob(db: TestDatabase, columns: JobColumns = {}): Promise<string> {
  const row = { user_id: ALICE, workflow_id: "one_step", ...columns };
  const [job] = await db`insert into public.jobs ${db(row as never)} returning id`;
  return job?.id;
}

/** A job's row; `db` may be the connection of any role. */
// deno-lint-ignore no-explicit-any -- tests look into whatever column
export async function readJob(db: TestDatabase, id: string): Promise<Record<string, any>> {
  const [row] = await db`select * from public.jobs where id = ${id}`;
  if (row === undefined) throw new Error(`there is no job ${id}`);
  return row;
}

/** `claim_jobs()`. */
export async function claim(
  db: TestDatabase,
  limit = 10,
  token = TOKEN,
  leaseSeconds = 30,
): Promise<ClaimedJob[]> {
  const [row] = await db`select public.claim_jobs(${token}, ${limit}, ${leaseSeconds}) as jobs`;
  return row?.jobs;
}

/** Claims the one job that is due. */
export async function claimOne(db: TestDatabase, token = TOKEN): Promise<ClaimedJob> {
  const [job] = await claim(db, 1, token);
  if (job === undefined) throw new Error("no job is due");
  return job;
}

/** A commit of a claimed job that leaves it as it is, running, but for these columns. */
export function commitOf(job: ClaimedJob, columns: Partial<JobCommit> = {}): JobCommit {
  return {
    job_id: job.job_id,
    version: job.version,
    status: "running",
    current_step_id: job.current_step_id,
    state: {},
    step_data: {},
    next_run_at: null,
    next_retry_at: null,
    retry_count: 0,
    redeliveries: 0,
    final_result: null,
    error: null,
    spawned: null,
    max_failed_children: null,
    joined_failures: null,
    awaits_children: false,
    admission: null,
    ...columns,
  };
}

/** The end of a claimed job. */
export function completionOf(job: ClaimedJob, final_result: unknown = {}): JobCommit {
  return commitOf(job, { status: "completed", final_result });
}

/** What goes with the jobs of one commit. */
export interface CommitParts {
  steps?: unknown[];
  events?: unknown[];
  consumed?: unknown[];
  spawns?: Spawn[];
  child_messages?: ChildMessage[];
  reopenings?: Reopening[];
  subscriptions?: Subscription[];
  unsubscribed?: string[];
  approvals?: ApprovalRequest[];
  closed_approvals?: { job_id: string; status: "expired" | "cancelled" }[];
}

/** The answer of `commit_jobs()`. */
export interface CommitReply {
  results: { job_id: string; committed: boolean; admitted?: boolean }[];
  woken: { job_id: string; messages: Message[] }[];
  /** Children that were leased to the caller. */
  claimed: ClaimedJob[];
}

/** `commit_jobs()`. */
export async function commit(
  db: TestDatabase,
  jobs: JobCommit[],
  parts: CommitParts = {},
  token = TOKEN,
): Promise<CommitReply> {
  const lists = { steps: [], events: [], consumed: [], ...parts };
  const argument = { lease_token: token, lease_seconds: 30, jobs, ...lists };
  const [row] = await db`select public.commit_jobs(${db.json(argument as never)}) as reply`;
  return row?.reply;
}

/** `turn()` with these parts of its argument. */
export async function turn(
  db: TestDatabase,
  parts: Record<string, unknown> = {},
): Promise<TurnReply> {
  const argument = { lease_token: TOKEN, lease_seconds: 30, claim: 0, in_flight: 0, ...parts };
  const [row] = await db`select public.turn(${db.json(argument as never)}) as reply`;
  return row?.reply;
}

/** The record of a completed first attempt of a job's step `a`. */
export function stepRecord(job: ClaimedJob, columns: Record<string, unknown> = {}): object {
  const at = new Date().toISOString();
  return {
    job_id: job.job_id,
    step_id: "a",
    visit: 1,
    attempt: 1,
    status: "completed",
    transformer_id: "echo",
    input: { in: 1 },
    output: { out: 1 },
    error: null,
    redeliveries: 0,
    started_at: at,
    ended_at: at,
    ...columns,
  };
}

/** Runs statements in one transaction of this role, with this user signed in. */
export async function as<Result>(
  db: TestDatabase,
  role: "anon" | "authenticated" | "service_role",
  userId: string | null,
  run: (db: TestDatabase) => Promise<Result>,
): Promise<Result> {
  return await db.begin(async (transaction) => {
    const claims = JSON.stringify({ role, ...(userId === null ? {} : { sub: userId }) });
    await transaction`select set_config('request.jwt.claims', ${claims}, true)`;
    await transaction.unsafe(`set local role ${role}`);
    return await run(transaction as unknown as TestDatabase);
  }) as Result;
}

/** The server process of a connection. */
export async function pidOf(db: TestDatabase): Promise<number> {
  const [row] = await db`select pg_backend_pid() as pid`;
  return row?.pid;
}

/** Resolves when that server process waits for a lock. @throws after ten seconds */
export async function waitUntilBlocked(db: TestDatabase, pid: number): Promise<void> {
  const giveUpAt = Date.now() + 10_000;
  while (Date.now() < giveUpAt) {
    const [row] = await db`select pg_blocking_pids(${pid}) as pids`;
    if (row?.pids.length > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error(`process ${pid} does not wait for anybody`);
}

/** Opens a transaction, does this in it, and holds it until the function returned is called. */
export async function hold(
  db: TestDatabase,
  run: (db: TestDatabase) => Promise<unknown>,
): Promise<() => Promise<void>> {
  const ready = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const done = db.begin(async (transaction) => {
    await run(transaction as unknown as TestDatabase);
    ready.resolve();
    await released.promise;
  });
  done.catch(ready.reject);
  await ready.promise;
  return async () => {
    released.resolve();
    await done;
  };
}
