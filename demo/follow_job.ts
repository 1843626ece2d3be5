import type { Attempt, Client, Job } from "./client.ts";
import { DemoError } from "./error.ts";
import { duration } from "./format.ts";

/** A job as it stood at one moment. */
export interface Snapshot {
  job: Job;
  attempts: Attempt[];
}

/** At first often, so that short steps are seen one by one; then within the API's rate limit. */
const OFTEN_MS = 60;
const SELDOM_MS = 300;
const OFTEN_FOR_MS = 4_000;
/** Longer than any step of the examples may take. */
const STALL_LIMIT_MS = 200_000;

const ENDED = ["completed", "failed", "cancelled"];

/**
 * Asks again and again how a job stands, until it has ended.
 *
 * @throws DemoError when nothing has happened to it for longer than a step may take
 */
export async function followJob(
  client: Client,
  jobId: string,
  onSnapshot: (snapshot: Snapshot) => Promise<void>,
): Promise<Job> {
  const began = performance.now();
  let [lastChange, changedAt] = ["", began];
  for (;;) {
    // The job first: the attempts that its state speaks of are there by then.
    const job = await client.job(jobId);
    const attempts = await client.attempts(jobId);
    await onSnapshot({ job, attempts });
    if (ENDED.includes(job.status)) return job;

    const now = performance.now();
    if (job.last_updated_at !== lastChange) [lastChange, changedAt] = [job.last_updated_at, now];
    if (now - changedAt > STALL_LIMIT_MS) {
      throw new DemoError(
        `Job ${jobId} has been ${job.status} for ${duration(now - changedAt)}: ` +
          "run this again with --verbose to see what the functions log",
      );
    }
    await pause(now - began < OFTEN_FOR_MS ? OFTEN_MS : SELDOM_MS, client.signal);
  }
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, milliseconds);
  signal.addEventListener("abort", () => resolve(), { once: true });
  await promise;
  clearTimeout(timer);
  signal.throwIfAborted();
}
