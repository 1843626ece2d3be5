import assert from "node:assert/strict";
import type {
  ClaimedJob,
  JobCommit,
  JobWrite,
  Message,
} from "../../../../../supabase/functions/_shared/contracts/turn.ts";
import { reopen, spawn } from "./children.ts";
import type { Database } from "./database.ts";
import { deliverPast } from "./events.ts";
import { isEnded, type JobRow, throughJson } from "./rows.ts";
import { admit, freeSlots } from "./slots.ts";

/** What a commit answers. */
export interface CommitReply {
  /** By job: whether it was written, and whether what it asked for was granted. */
  results: Map<string, "committed" | "parked" | "lost">;
  woken: { job_id: string; messages: Message[] }[];
  /** Children that were leased to the caller. */
  claimed: ClaimedJob[];
}

/** Writes the decisions for a batch of jobs, those alone that the caller still owns. */
export function commitBatch(
  db: Database,
  token: string,
  writes: readonly JobWrite[],
): CommitReply {
  const results: CommitReply["results"] = new Map();
  const valid = validOf(db, token, writes);
  for (const { job } of writes) results.set(job.job_id, "lost");
  for (const { job } of valid) countDown(db, db.job(job.job_id), job);
  for (const { reopening } of valid) if (reopening !== undefined) reopen(db, reopening);
  for (const write of valid) {
    const job = db.job(write.job.job_id);
    const admitted = admit(db, job, write);
    results.set(job.id, admitted ? "committed" : "parked");
    writeJob(db, job, write);
    writeRecords(db, job, write);
  }
  const ended = valid.map(({ job }) => db.job(job.job_id)).filter(({ status }) => isEnded(status));
  freeSlots(db, ended);
  const claimed: JobRow[] = [];
  for (const write of valid) claimed.push(...tellOthers(db, token, write));
  for (const job of ended) endAll(db, job);
  const woken = valid.map(({ job }) => db.job(job.job_id))
    .filter(({ wake_requested, status }) => wake_requested && status === "running")
    .map(({ id }) => ({ job_id: id, messages: throughJson(db.inbox.get(id) ?? []) }));
  return { results, woken, claimed: claimed.map((job) => db.claimed(job)) };
}

/**
 * The writes of those who own their jobs as they are. One that was decided ahead of the ends of
 * children stands and falls with them.
 */
function validOf(db: Database, token: string, writes: readonly JobWrite[]): JobWrite[] {
  let valid = writes.filter(({ job: { job_id, version } }) => {
    const job = db.job(job_id);
    return job.lease_token === token && job.version === version;
  });
  for (;;) {
    const kept = valid.filter(({ job }) =>
      job.joined_failures === null || isJoin(db, job.job_id, job.joined_failures, valid)
    );
    if (kept.length === valid.length) return kept;
    valid = kept;
  }
}

/** Whether all children of a job have ended once these writes are made, with so many failures. */
function isJoin(db: Database, jobId: string, failures: number, writes: readonly JobWrite[]) {
  const { open_children, failed_children } = db.job(jobId);
  const ending = writes.filter(({ job }) =>
    isEnded(job.status) && db.job(job.job_id).parent_job_id === jobId
  );
  const failing = ending.filter(({ job }) => job.status !== "completed");
  return open_children === ending.length && failed_children + failing.length === failures;
}

/** A job that ends is counted at its parent, which is woken when it need not wait longer. */
function countDown(db: Database, job: JobRow, { status }: JobCommit): void {
  if (!isEnded(status) || job.parent_job_id === null) return;
  const parent = db.job(job.parent_job_id);
  parent.open_children--;
  assert.ok(parent.open_children >= 0);
  if (status !== "completed") parent.failed_children++;
  if (parent.status === "waiting" && hasNews(parent)) parent.next_run_at = db.now;
}

function hasNews({ open_children, failed_children, max_failed_children }: JobRow): boolean {
  return open_children === 0 ||
    (max_failed_children !== null && failed_children > max_failed_children);
}

function writeJob(db: Database, job: JobRow, { job: commit, consumed }: JobWrite): void {
  const ends = isEnded(commit.status);
  job.status = commit.status;
  assert.ok(commit.current_step_id);
  job.current_step_id = commit.current_step_id;
  job.state = commit.state;
  job.step_data = { ...job.step_data, ...commit.step_data };
  job.max_failed_children = commit.max_failed_children;
  if (commit.spawned !== null) {
    job.open_children += commit.spawned;
    job.failed_children = 0;
  }
  const box = (db.inbox.get(job.id) ?? []).filter(({ id }) => !consumed.includes(id));
  db.inbox.set(job.id, box);
  const runs = commit.status === "running";
  const wish = commit.next_run_at === null ? null : Date.parse(commit.next_run_at);
  if (!runs) {
    job.lease_token = null;
    job.next_run_at = ends
      ? null
      : job.wake_requested && box.length > 0
      ? db.now
      : commit.awaits_children && hasNews(job)
      ? db.now
      : wish;
    job.wake_requested = false;
    if (job.next_run_at !== null) job.wanted_slot = null;
  } else job.wake_requested &&= box.length > 0;
  job.next_retry_at = commit.next_retry_at === null ? null : Date.parse(commit.next_retry_at);
  job.retry_count = commit.retry_count;
  job.redeliveries = commit.redeliveries;
  job.final_result = commit.final_result ?? null;
  job.error = commit.error;
  job.completed_at = ends ? db.now : null;
  job.version++;
  assert.ok(!ends || job.open_children === 0, "an ended job has open children");
  assert.ok(commit.status !== "awaiting_retry" || job.next_retry_at !== null);
  assert.ok(commit.status !== "failed" || job.error !== null);
}

function writeRecords(db: Database, job: JobRow, { steps }: JobWrite): void {
  for (const step of steps) {
    assert.equal(step.job_id, job.id);
    const key = `${job.path} ${step.step_id}:${step.visit}:${step.attempt} of ${job.id}`;
    assert.ok(!db.steps.has(key), `recorded twice: ${key}`);
    assert.ok(step.started_at <= step.ended_at, `ended before it started: ${key}`);
    db.steps.set(key, step);
  }
}

/** Children, events and people. Answers the children that are leased to the caller. */
function tellOthers(db: Database, token: string, write: JobWrite): JobRow[] {
  const { spawn: wish, childMessage, subscription, approval } = write;
  const job = db.job(write.job.job_id);
  if (childMessage !== undefined) {
    for (const child of db.jobs.values()) {
      if (child.parent_job_id !== job.id || isEnded(child.status)) continue;
      db.send(child.id, childMessage.kind, { payload: { reason: childMessage.reason } });
    }
  }
  if (write.unsubscribe) db.waits.delete(job.id);
  if (write.closeApproval !== undefined) {
    const open = db.approvals.find(({ job_id, status }) => job_id === job.id && status === "open");
    if (open !== undefined) open.status = write.closeApproval;
  }
  if (approval !== undefined) {
    const { step_id, visit, attempt, expires_at } = approval;
    const isAsked = db.approvals.some((row) =>
      row.job_id === job.id && row.step_id === step_id && row.visit === visit &&
      row.attempt === attempt
    );
    assert.ok(!isAsked, `asked twice: ${job.path} ${step_id}:${visit}:${attempt}`);
    const expires = expires_at === null ? null : Date.parse(expires_at);
    const at = { step_id, visit, attempt };
    db.approvals.push({ job_id: job.id, ...at, status: "open", expires_at: expires });
  }
  if (subscription !== undefined) deliverPast(db, subscription);
  return wish === undefined ? [] : spawn(db, token, wish);
}

/** What hangs on a job that has ended. */
function endAll(db: Database, job: JobRow): void {
  db.inbox.delete(job.id);
  job.wake_requested = false;
  assert.ok(!db.waits.has(job.id), "an ended job waits for an event");
  const open = db.approvals.some(({ job_id, status }) => job_id === job.id && status === "open");
  assert.ok(!open, "an ended job waits for a person");
}
