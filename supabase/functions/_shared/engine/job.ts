import type { ClaimedJob, JobState, StepEntry } from "../contracts/turn.ts";
import type { EvaluationContext } from "./context.ts";
import { jobDocument } from "./document.ts";
import { idempotencyKey } from "./keys.ts";

/** A job as its owner holds it in memory: the claimed row, moved on by each plan. */
export type Job = Omit<ClaimedJob, "messages">;

/** Names one attempt of one step of a job. */
export interface AttemptRef {
  step_id: string;
  visit: number;
  attempt: number;
}

/** The attempt that the job's owner is to make, or has out. */
export function currentAttempt(job: Job): AttemptRef {
  return { step_id: job.current_step_id, visit: job.state.visit, attempt: job.state.attempt };
}

/** Whether two names mean the same attempt. */
export function isSameAttempt(a: AttemptRef, b: AttemptRef): boolean {
  return a.step_id === b.step_id && a.visit === b.visit && a.attempt === b.attempt;
}

/** Whether the job has entered no step but its first yet, and that once. */
export function isFresh(job: Job): boolean {
  return job.state.entered_at === undefined;
}

/** How often a step has been entered before. */
export function visitsOf(job: Job, stepId: string): number {
  if (stepId === job.current_step_id) return job.state.visit;
  const kept = job.state.visits[stepId];
  if (kept !== undefined) return kept;
  return Object.hasOwn(job.step_data, stepId) ? 1 : 0;
}

/** What the job has of a step that has ended, if it has. */
export function entryOf(job: Job, stepId: string): StepEntry | undefined {
  return Object.hasOwn(job.step_data, stepId) ? job.step_data[stepId] as StepEntry : undefined;
}

/**
 * What values and expressions of the current step see. Time stands still within a visit, and
 * chance is seeded by the attempt, so that a redelivery computes what the first delivery did.
 */
export function evaluationContext(job: Job): EvaluationContext {
  return {
    document: jobDocument({ ...job, id: job.job_id }),
    now: new Date(job.state.entered_at ?? Date.parse(job.started_at)),
    seed: idempotencyKey(job.job_id, currentAttempt(job)),
  };
}

/** The state as it is stored: only what differs from a fresh job's, as every commit writes it. */
export function storedState(state: JobState): Partial<JobState> {
  return {
    ...(state.visit === 1 ? {} : { visit: state.visit }),
    ...(state.attempt === 1 ? {} : { attempt: state.attempt }),
    ...(state.steps_visited === 1 ? {} : { steps_visited: state.steps_visited }),
    ...(state.previous_step === null ? {} : { previous_step: state.previous_step }),
    ...(state.entered_at === undefined ? {} : { entered_at: state.entered_at }),
    ...(Object.keys(state.visits).length === 0 ? {} : { visits: state.visits }),
    ...(state.handling_error ? { handling_error: true } : {}),
    ...(state.waiting === undefined ? {} : { waiting: state.waiting }),
  };
}
