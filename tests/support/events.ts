import type { ClaimedJob, Subscription } from "../../supabase/functions/_shared/contracts/turn.ts";
import type { TestDatabase } from "./database.ts";
import { claimOne, commit, commitOf, insertJob } from "./engine.ts";
import { ALICE } from "./seed_database.ts";

/** Before all that happens in tests. */
export const LONG_AGO = "2000-01-01T00:00:00Z";

/** What a claimed job waits for: by default an event `paid` with any key. */
export const subscription = (
  job: ClaimedJob,
  columns: Partial<Subscription> = {},
): Subscription => ({
  ...{ job_id: job.job_id, step_id: "a", visit: 1, event: "paid", key: null, after: 0 },
  ...{ since: LONG_AGO, ...columns },
});

/** A claimed job parks until an event comes. */
export const park = (db: TestDatabase, job: ClaimedJob, columns: Partial<Subscription> = {}) =>
  commit(db, [commitOf(job, { status: "waiting" })], {
    subscriptions: [subscription(job, columns)],
  });

/** A job of Alice's that waits for an event. */
export async function waitingJob(
  db: TestDatabase,
  columns: Partial<Subscription> = {},
  jobColumns: Record<string, unknown> = {},
): Promise<string> {
  await insertJob(db, { priority: 9, ...jobColumns });
  const job = await claimOne(db);
  await park(db, job, columns);
  return job.job_id;
}

/** Inserts an event of Alice's; returns its id. */
export const emit = async (
  db: TestDatabase,
  columns: Record<string, unknown> = {},
): Promise<number> => {
  const row = { user_id: ALICE, name: "paid", payload: db.json({ euro: 5 }), ...columns };
  const [event] = await db`insert into public.events ${db(row as never)} returning id`;
  return event?.id;
};

/** `deliver_events()`: whether events are left. */
export const deliver = async (db: TestDatabase): Promise<boolean> =>
  (await db`select millrace.deliver_events() as left`)[0]?.left;

/** The mailboxes: which job has which event. */
export const mail = async (db: TestDatabase) =>
  (await db`select job_id, (payload ->> 'event_id')::integer as event from public.job_inbox
    where kind = 'event' order by id`).map(({ job_id, event }) => [job_id, event]);

/** Where an event stands in the order of deliveries. */
export const positionOf = async (db: TestDatabase, id: number): Promise<number> =>
  (await db`select position from public.events where id = ${id}`)[0]?.position;
