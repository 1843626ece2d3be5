import assert from "node:assert/strict";
import type {
  Reopening,
  Spawn,
  SpawnedChild,
} from "../../../../../supabase/functions/_shared/contracts/turn.ts";
import type { Database } from "./database.ts";
import type { JobRow } from "./rows.ts";
import { slotOf, take } from "./slots.ts";

/** Starts children. Answers those that are leased to the caller. */
export function spawn(db: Database, token: string, wish: Spawn): JobRow[] {
  const parent = db.job(wish.job_id);
  const { workflow_id, step_id, visit } = wish;
  if (workflow_id !== null && !db.startSteps.has(workflow_id)) {
    if (!wish.detached) parent.open_children -= wish.children.length;
    const payload = { message: `there is no workflow '${workflow_id}'` };
    db.send(parent.id, "spawn_refused", { step_id, visit, payload });
    return [];
  }
  return wish.detached ? startDetached(db, parent, wish) : startChildren(db, token, parent, wish);
}

function startDetached(db: Database, parent: JobRow, wish: Spawn): JobRow[] {
  const [child] = wish.children;
  assert.ok(child?.id && wish.workflow_id, "a detached job is named by who starts it");
  assert.ok(!db.jobs.has(child.id), "started twice");
  db.insert({
    id: child.id,
    path: `${parent.path}/${wish.step_id}:${wish.visit}!`,
    workflow_id: wish.workflow_id,
    input_data: child.input ?? null,
  });
  return [];
}

function startChildren(db: Database, token: string, parent: JobRow, wish: Spawn): JobRow[] {
  const { children, max_running, step_id, visit } = wish;
  const isLimited = max_running > 0 && max_running < children.length;
  const slotKey = isLimited ? `map:${parent.id}:${step_id}:${visit}` : null;
  if (slotKey !== null) db.slots.set(slotKey, { capacity: max_running, in_use: 0 });
  return children.flatMap((child, place) => {
    const job = insertChild(db, parent, wish, child);
    if (slotKey !== null) {
      job.slot_key = slotKey;
      if (place < max_running) {
        take(db, slotKey);
        job.held_slots = [slotKey];
      } else {
        job.wanted_slot = slotKey;
        job.next_run_at = null;
      }
    }
    if (!wish.lease) return [];
    assert.equal(slotKey, null, "only children that may all run are leased");
    job.version += 2;
    db.lease(job, token);
    return [job];
  });
}

function insertChild(db: Database, parent: JobRow, wish: Spawn, child: SpawnedChild): JobRow {
  const { step_id, visit, workflow_id } = wish;
  return db.insert({
    path: `${parent.path}/${step_id}:${visit}#${child.index}`,
    workflow_id: workflow_id ?? parent.workflow_id,
    ...(workflow_id === null
      ? { branch: child.branch ?? null, current_step_id: child.start_step ?? "" }
      : { input_data: child.input ?? null }),
    item: child.item ?? null,
    item_index: child.index,
    parent_job_id: parent.id,
    parent_step_id: step_id,
    parent_visit: visit,
    root_job_id: parent.root_job_id,
    depth: parent.depth + 1,
    inherited_slots: [...parent.held_slots, ...parent.inherited_slots],
  });
}

/** Opens the children of a visit again that failed or were cancelled. */
export function reopen(db: Database, { job_id, step_id, visit }: Reopening): void {
  const parent = db.job(job_id);
  const children = db.childrenOf(parent, step_id, visit)
    .filter(({ status }) => status === "failed" || status === "cancelled");
  for (const child of children) {
    reopenJob(db, child);
    db.send(child.id, "retry");
    if (child.slot_key === null) continue;
    const slot = slotOf(db, child.slot_key);
    if (slot.in_use < slot.capacity) {
      take(db, child.slot_key);
      child.held_slots = [child.slot_key];
    } else {
      child.wanted_slot = child.slot_key;
      child.next_run_at = null;
    }
  }
  parent.open_children += children.length;
  parent.failed_children = 0;
}

/** Makes a job that has ended due once more. */
export function reopenJob(db: Database, job: JobRow): void {
  if (job.deadline_at !== null) job.deadline_at += db.now - job.created_at;
  job.status = "pending";
  job.next_run_at = db.now;
  job.next_retry_at = null;
  job.completed_at = null;
  job.error = null;
  job.final_result = null;
  job.retry_count = 0;
  job.redeliveries = 0;
  job.run_number++;
}
