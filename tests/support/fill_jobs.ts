import type { PrivateDatabase } from "./private_database.ts";
import { ALICE } from "./seed_database.ts";

/** What the planner knows of the tables. */
export type Statistics = "none" | "of an empty table" | "fresh";

/** How many jobs of which kind to put in. */
export interface Filling {
  finished: number;
  /** In the start queue. */
  due: number;
  /** Due by their time, as work that was begun is. */
  timers?: number;
  /** Due in a day, with the highest priority. */
  future?: number;
  statistics: Statistics;
}

/** The tables that statements of the engine look into. */
const TABLES = ["jobs", "job_steps", "job_events", "job_inbox", "events", "event_waits"];

/**
 * Fills a private database with jobs, one attempt each for those that ended in the last forty days,
 * without firing the triggers.
 */
export async function fillJobs(file: PrivateDatabase, filling: Filling): Promise<void> {
  const { finished, due, timers = 0, future = 0, statistics } = filling;
  await using db = file.connect({ superuser: true });
  await db.unsafe("set session_replication_role = replica");
  for (const table of TABLES) {
    await db.unsafe(`alter table public.${table} set (autovacuum_enabled = off)`);
    await db.unsafe(`truncate public.${table} cascade`);
    await db.unsafe(`delete from pg_statistic where starelid = 'public.${table}'::regclass`);
  }
  const analyse = () => db.unsafe(`analyze ${TABLES.map((name) => `public.${name}`).join(", ")}`);
  if (statistics === "of an empty table") await analyse();
  await db`insert into public.jobs (user_id, workflow_id, workflow_version, status, created_at,
      started_at, completed_at, current_step_id)
    select ${ALICE}, 'one_step', 1, 'completed', at - interval '2 s', at - interval '1 s', at, 'a'
    from generate_series(1, ${finished}::integer) as n
    cross join lateral (select now() - n * interval '40 days' / ${finished + 1} as at) as ended`;
  await db`insert into public.job_steps (job_id, step_id, visit, attempt, status, transformer_id,
      started_at, ended_at)
    select id, 'a', 1, 1, 'completed', 'echo', started_at, completed_at
    from public.jobs where completed_at is not null order by completed_at`;
  await db`insert into public.jobs (user_id, workflow_id, workflow_version, next_run_at, priority,
      queue_place)
    select ${ALICE}::uuid, 'one_step', 1, now() - interval '1 minute', n % 10, n
    from generate_series(1, ${due}::integer) as n
    union all
    select ${ALICE}::uuid, 'one_step', 1, now() - interval '1 minute', n % 10, null
    from generate_series(1, ${timers}::integer) as n
    union all
    select ${ALICE}::uuid, 'one_step', 1, now() + interval '1 day', 9, null
    from generate_series(1, ${future}::integer)`;
  if (statistics === "fresh") await analyse();
}
