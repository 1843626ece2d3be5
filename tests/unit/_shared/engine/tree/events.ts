import assert from "node:assert/strict";
import type { Subscription } from "../../../../../supabase/functions/_shared/contracts/turn.ts";
import type { Database } from "./database.ts";
import type { EventRow } from "./rows.ts";

/** Draws an event's id. Nobody sees it before it has been delivered. */
export function insertEvent(
  db: Database,
  name: string,
  key: string | null,
  payload: unknown,
): EventRow {
  const id = db.events.length + 1;
  const event: EventRow = { id, name, key, payload, created_at: db.now, position: null };
  db.events.push(event);
  return event;
}

/** Gives an event its place in the order of deliveries and tells every job that waits for it. */
export function deliver(db: Database, event: EventRow): void {
  assert.equal(event.position, null, "delivered twice");
  event.position = db.events.filter(({ position }) => position !== null).length + 1;
  for (const [jobId, wait] of db.waits) {
    if (wait.event !== event.name || (wait.key !== null && wait.key !== event.key)) continue;
    tell(db, jobId, wait, event);
  }
}

/** Notes what a job waits for, and tells it of what has been delivered already. */
export function deliverPast(db: Database, wish: Subscription): void {
  const { job_id, step_id, visit, event, key, after, since } = wish;
  db.waits.set(job_id, { event, key, step_id, visit });
  const past = db.events.filter((row) =>
    row.name === event && (key === null || row.key === key) && placeOf(row) > after &&
    row.created_at >= Date.parse(since)
  ).sort((a, b) => placeOf(a) - placeOf(b));
  for (const row of past.slice(0, 100)) tell(db, job_id, { step_id, visit }, row);
}

function placeOf({ position }: EventRow): number {
  return position ?? -Infinity;
}

function tell(
  db: Database,
  jobId: string,
  { step_id, visit }: { step_id: string; visit: number },
  { id, position, name, key, payload }: EventRow,
): void {
  const event = { event_id: id, position, name, key, payload };
  db.send(jobId, "event", { step_id, visit, payload: event });
}
