import type { TestDatabase } from "./database.ts";
import { insertJob } from "./engine.ts";
import { ALICE, BOB } from "./seed_database.ts";

/** Who is signed in: what a token says of a person. */
export interface Person {
  sub: string;
  email?: string;
  app_metadata?: Record<string, unknown>;
}

/** The owner of the jobs, somebody else, and somebody who has a role. */
export const OWNER: Person = { sub: ALICE, email: "alice@example.com" };
export const OTHER: Person = { sub: BOB, email: "Bob@Example.com" };
export const CAROL = "ca401000-0000-4000-8000-000000000003";
export const FINANCE: Person = { sub: CAROL, app_metadata: { roles: ["finance", "audit"] } };

/** Runs statements in one transaction with this person signed in. */
export async function asPerson<Result>(
  db: TestDatabase,
  person: Person,
  run: (db: TestDatabase) => Promise<Result>,
): Promise<Result> {
  return await db.begin(async (transaction) => {
    const claims = JSON.stringify({ role: "authenticated", ...person });
    await transaction`select set_config('request.jwt.claims', ${claims}, true)`;
    await transaction.unsafe("set local role authenticated");
    return await run(transaction as unknown as TestDatabase);
  }) as Result;
}

/** A question of a waiting job of Alice's, as its commit would ask it. */
export async function insertApproval(
  db: TestDatabase,
  columns: Record<string, unknown> = {},
): Promise<{ id: string; jobId: string }> {
  const jobId = typeof columns.job_id === "string"
    ? columns.job_id
    : await insertJob(db, { status: "waiting", current_step_id: "ask" });
  const row = {
    job_id: jobId,
    step_id: "ask",
    visit: 1,
    attempt: 1,
    user_id: ALICE,
    title: "Pay?",
    ...columns,
  };
  const [approval] = await db`
    insert into public.approvals ${db(row as never)} returning id`;
  return { id: approval?.id, jobId };
}

/** `decide_approval()`. */
export async function decide(
  db: TestDatabase,
  id: string,
  decision = "approve",
  { notes = null, form = null, by = null }: {
    notes?: string | null;
    form?: unknown;
    by?: string | null;
  } = {},
): Promise<{ approval_id: string; job_id: string; status: string; kick: boolean }> {
  const [row] = await db`
    select public.decide_approval(${id}, ${decision}, ${notes},
      ${form === null ? null : db.json(form as never)}, ${by}) as reply`;
  return row?.reply;
}
