/** A job that falls due, as `millrace_local.describe_jobs()` tells of it. */
export interface DueJob {
  job_id: string;
  workflow_id: string;
  status: string;
  step_id: string | null;
  /** RFC 3339. */
  due_at: string;
  /** Retries of the current step that were begun or are to be begun. */
  retry: number;
  error_code: string | null;
  /** What a waiting job waits for: `timer`, `callback`, `event`, … */
  waiting: string | null;
  /** Name of the event that it waits for. */
  event: string | null;
  /** It falls due because the whole job's time is over. */
  is_deadline: boolean;
}

/** One line that says which job falls due, and why. */
export function describeDueJob(job: DueJob): string {
  return `job ${job.job_id} of ${job.workflow_id}: ${reasonOf(job)}`;
}

function reasonOf(job: DueJob): string {
  if (job.is_deadline) return "its timeout_seconds are over";
  const step = job.step_id === null ? "its step" : `step '${job.step_id}'`;
  switch (job.status) {
    case "pending":
      return "it is to start";
    case "running":
      return `${step} runs, and its lease ends`;
    case "awaiting_retry":
      return `retry ${job.retry} of ${step}, which failed` +
        (job.error_code === null ? "" : ` with ${job.error_code}`);
    case "waiting":
      return reasonOfWait(job, step);
    default:
      return `it is ${job.status}`;
  }
}

function reasonOfWait({ waiting, event }: DueJob, step: string): string {
  if (waiting === "timer") return `${step} has waited long enough`;
  const wished = waiting === "event" ? `event '${event}'` : WISHED[waiting ?? ""];
  return wished === undefined ? `${step} goes on` : `${step} waits for ${wished} no longer`;
}

const WISHED: Record<string, string> = {
  callback: "its callback",
  approval: "its approval",
  children: "its children",
};
