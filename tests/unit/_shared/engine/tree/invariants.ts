import assert from "node:assert/strict";
import type { Database } from "./database.ts";
import { isEnded } from "./rows.ts";

/** What must hold after every commit. */
export function checkRows(db: Database): void {
  const open = new Map<string, number>();
  const held = new Map<string, number>();
  for (const job of db.jobs.values()) {
    for (const key of job.held_slots) held.set(key, (held.get(key) ?? 0) + 1);
    if (job.parent_job_id === null || isEnded(job.status)) continue;
    open.set(job.parent_job_id, (open.get(job.parent_job_id) ?? 0) + 1);
  }
  for (const job of db.jobs.values()) {
    const { path, status, state, next_run_at, lease_token, wanted_slot } = job;
    assert.equal(job.open_children, open.get(job.id) ?? 0, `open children of ${path}`);
    const waits = state.waiting?.kind === "children" || state.ending !== undefined;
    assert.ok(job.open_children === 0 || waits, `${path} has gone on without its children`);
    assert.equal(status === "running", lease_token !== null, `lease of ${path}`);
    assert.ok(wanted_slot === null || status === "pending", `wish of ${path}`);
    if (isEnded(status)) {
      assert.equal(job.open_children, 0, `${path} has ended before its children`);
      assert.deepEqual([job.held_slots, next_run_at], [[], null], `${path} has ended`);
    }
    if (status === "awaiting_retry") assert.ok(next_run_at !== null, `retry of ${path}`);
  }
  for (const [key, { capacity, in_use }] of db.slots) {
    assert.equal(in_use, held.get(key) ?? 0, `slots of ${key}`);
    assert.ok(in_use <= capacity, `too many slots of ${key}`);
  }
}

/** What must hold when all jobs have ended. */
export function checkEnd(db: Database): void {
  checkRows(db);
  for (const [key, { in_use }] of db.slots) assert.equal(in_use, 0, `slots of ${key} at the end`);
  assert.equal(db.waits.size, 0, "somebody waits for an event");
  assert.ok(!db.approvals.some(({ status }) => status === "open"), "a question is left open");
  for (const { started_at, completed_at, path } of db.jobs.values()) {
    assert.ok(completed_at !== null && (started_at ?? 0) <= completed_at, `times of ${path}`);
  }
}
