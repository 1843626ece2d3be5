import type { ClaimedJob, JobCommit } from "../../supabase/functions/_shared/contracts/turn.ts";
import { awaitsChildren, spawnOf } from "./children.ts";
import type { TestDatabase } from "./database.ts";
import { claim, commit, commitOf, type CommitParts, completionOf, stepRecord } from "./engine.ts";
import { ALICE } from "./seed_database.ts";

/** A commit that does everything that a commit can do. */
export interface Batch {
  jobs: JobCommit[];
  parts: Required<CommitParts>;
}

const ERROR = { code: "broken", message: "it broke", retryable: false, details: null };

/**
 * Claims jobs, ten for each of `times`, and brings them to where all this can happen to them: an end with a step, an
 * event and a message, slots and starts asked for and refused, children started, refused, told,
 * reopened and ended, waits for events and people begun and ended. Leaves undelivered events too.
 */
export async function batchOfAllKinds(db: TestDatabase, times: number): Promise<Batch> {
  const batch: Batch = { jobs: [], parts: emptyParts() };
  const { jobs, parts } = batch;
  for (const job of await start(db, times)) await plainEnd(db, job, batch);
  for (const job of await start(db, times)) {
    jobs.push(commitOf(job, { admission: { kind: "slot", key: "k", capacity: 1 } }));
  }
  for (const job of await start(db, times)) {
    const rate = { key: "rate", max_starts: 1, per_seconds: 10 };
    jobs.push(commitOf(job, { admission: { kind: "start", ...rate } }));
  }
  for (const job of await start(db, times)) {
    jobs.push(awaitsChildren(job, 3));
    parts.spawns.push(spawnOf(job, 3, { max_running: 2 }));
  }
  for (const job of await start(db, times)) {
    jobs.push(awaitsChildren(job, 2));
    parts.spawns.push(spawnOf(job, 2, { workflow_id: "gone" }));
  }
  for (const job of await start(db, times)) {
    const children = [{ index: 0, id: crypto.randomUUID(), input: {} }];
    jobs.push(commitOf(job));
    parts.spawns.push(spawnOf(job, 1, { detached: true, workflow_id: "one_step", children }));
  }
  await addFamilies(db, times, batch);
  await addWaits(db, times, batch);
  return batch;
}

function emptyParts(): Required<CommitParts> {
  return {
    ...{ steps: [], events: [], consumed: [], spawns: [], child_messages: [], reopenings: [] },
    ...{ subscriptions: [], unsubscribed: [], approvals: [], closed_approvals: [] },
  };
}

/** New jobs, claimed: nothing else of their priority may be due. */
async function start(db: TestDatabase, count: number, priority = 9): Promise<ClaimedJob[]> {
  await db`insert into public.jobs (user_id, workflow_id, priority)
    select ${ALICE}, 'one_step', ${priority}::integer from generate_series(1, ${count}::integer)`;
  return await claim(db, count);
}

async function plainEnd(db: TestDatabase, job: ClaimedJob, { jobs, parts }: Batch): Promise<void> {
  const [message] = await db`insert into public.job_inbox (job_id, kind)
    values (${job.job_id}, 'cancel') returning id, job_id`;
  jobs.push(completionOf(job));
  parts.steps.push(stepRecord(job));
  parts.events.push({ job_id: job.job_id, type: "redelivered", step_id: "a", data: {} });
  parts.consumed.push(message);
}

/** Parents that tell and reopen their children, and children that end and free their slots. */
async function addFamilies(db: TestDatabase, times: number, { jobs, parts }: Batch): Promise<void> {
  const parents = await start(db, times, 8);
  await commit(db, parents.map((job) => awaitsChildren(job, 4, { max_failed_children: null })), {
    spawns: parents.map((job) => spawnOf(job, 4, { max_running: 2 })),
  });
  const children = await claim(db, 2 * times);
  const failed = children.filter(({ item_index }) => item_index === 0);
  await commit(db, failed.map((job) => commitOf(job, { status: "failed", error: ERROR })));
  jobs.push(
    ...children.filter(({ item_index }) => item_index === 1).map((job) => completionOf(job)),
  );
  await db`update public.jobs set next_run_at = '2020-01-01'
    where id = any (${parents.map(({ job_id }) => job_id)})`;
  for (const [n, job] of (await claim(db, times)).entries()) {
    const { job_id } = job;
    const kind = n % 2 === 0 ? "cancel" : "pause";
    jobs.push(awaitsChildren(job, null, { max_failed_children: null }));
    parts.child_messages.push({ job_id, kind, reason: null });
    parts.reopenings.push({ job_id, step_id: "each", visit: 1 });
  }
}

async function addWaits(db: TestDatabase, times: number, { jobs, parts }: Batch): Promise<void> {
  await db`insert into public.events (name, delivered_at, position)
    values ('paid', now(), nextval('millrace.event_positions')), ('paid', null, null)`;
  for (const job of await start(db, times)) {
    const at = { job_id: job.job_id, step_id: "a", visit: 1 };
    jobs.push(commitOf(job, { status: "waiting" }));
    const since = "2020-01-01T00:00:00Z";
    parts.subscriptions.push({ ...at, event: "paid", key: null, after: 0, since });
    parts.approvals.push({
      ...{ ...at, attempt: 1, title: "May I?", details: null, assignees: null, form: null },
      ...{ allow_self: true, expires_at: null },
    });
  }
  for (const job of await start(db, times)) {
    jobs.push(commitOf(job));
    parts.unsubscribed.push(job.job_id);
    parts.closed_approvals.push({ job_id: job.job_id, status: "expired" });
  }
}
