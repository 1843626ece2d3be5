import assert from "node:assert/strict";
import type { JobWrite } from "../../../../../supabase/functions/_shared/contracts/turn.ts";
import { iso } from "../plan/world.ts";
import type { Database } from "./database.ts";
import type { JobRow, SlotRow } from "./rows.ts";

/** The slots of a key, which must be there. */
export function slotOf(db: Database, key: string): SlotRow {
  const slot = db.slots.get(key);
  assert.ok(slot, `there are no slots ${key}`);
  return slot;
}

/** Counts a slot as taken. */
export function take(db: Database, key: string): void {
  const slot = slotOf(db, key);
  slot.in_use++;
  assert.ok(slot.in_use <= slot.capacity, `more than ${slot.capacity} hold ${key}`);
}

/** What a job that asks for something is given: it goes on, or is parked as pending. */
export function admit(db: Database, job: JobRow, { job: commit }: JobWrite): boolean {
  const { admission } = commit;
  if (admission === null) return true;
  assert.equal(commit.status, "running", "only who runs may ask");
  const { key } = admission;
  if (admission.kind === "slot") {
    if ([...job.held_slots, ...job.inherited_slots].includes(key)) return true;
    const slot = db.slots.get(key) ?? { capacity: admission.capacity ?? 1, in_use: 0 };
    slot.capacity = admission.capacity ?? slot.capacity;
    db.slots.set(key, slot);
    if (slot.in_use < slot.capacity) {
      take(db, key);
      job.held_slots.push(key);
      return true;
    }
    job.wanted_slot = key;
    commit.next_run_at = null;
  } else {
    const { max_starts, per_seconds } = admission;
    const given = db.rateStarts.get(key) ?? [];
    const earlier = given[given.length - max_starts] ?? -Infinity;
    const startsAt = Math.max(db.now, earlier + per_seconds * 1000);
    db.rateStarts.set(key, [...given, startsAt]);
    commit.state = { ...commit.state, not_before: iso(startsAt) };
    if (startsAt <= db.now) return true;
    commit.next_run_at = iso(startsAt);
  }
  commit.status = "pending";
  return false;
}

/** Takes the slots of jobs that have ended and gives them to those that wait. */
export function freeSlots(db: Database, ended: readonly JobRow[]): void {
  const keys = new Set<string>();
  for (const job of ended) {
    for (const key of job.held_slots) {
      slotOf(db, key).in_use--;
      keys.add(key);
    }
    job.held_slots = [];
  }
  grantSlots(db, [...keys]);
}

/** Gives free slots to the jobs that wait for them, the oldest first. */
export function grantSlots(db: Database, keys: readonly string[]): void {
  for (const key of keys) {
    const slot = slotOf(db, key);
    const waiting = [...db.jobs.values()].filter(({ wanted_slot }) => wanted_slot === key)
      .sort((a, b) => a.created_at - b.created_at || (a.item_index ?? 0) - (b.item_index ?? 0));
    for (const job of waiting.slice(0, Math.max(slot.capacity - slot.in_use, 0))) {
      take(db, key);
      job.held_slots.push(key);
      job.wanted_slot = null;
      job.next_run_at = db.now;
    }
  }
}
