import type { Subscription } from "../../../../../supabase/functions/_shared/contracts/turn.ts";
import type { Database } from "./database.ts";
import type { EventRow } from "./rows.ts";

/** Keeps an event and tells every job of it that waits for it. */
export function emit(db: Database, name: string, key: string | null, payload: unknown): void {
  const event = { id: db.events.length + 1, name, key, payload, created_at: db.now };
  db.events.push(event);
  for (const [jobId, wait] of db.waits) {
    if (wait.event !== name || (wait.key !== null && wait.key !== key)) continue;
    tell(db, jobId, wait, event);
  }
}

/** Notes what a job waits for, and tells it of what has come already. */
export function deliverPast(db: Database, wish: Subscription): void {
  const { job_id, step_id, visit, event, key, after, since } = wish;
  db.waits.set(job_id, { event, key, step_id, visit });
  const past = db.events.filter((row) =>
    row.name === event && (key === null || row.key === key) && row.id > after &&
    row.created_at >= Date.parse(since)
  );
  for (const row of past.slice(0, 100)) tell(db, job_id, { step_id, visit }, row);
}

function tell(
  db: Database,
  jobId: string,
  { step_id, visit }: { step_id: string; visit: number },
  { id, name, key, payload }: EventRow,
): void {
  db.send(jobId, "event", { step_id, visit, payload: { event_id: id, name, key, payload } });
}
