import type { ClaimedJob, JobState, Scope, StepEntry } from "../contracts/turn.ts";
import type { EvaluationContext } from "./context.ts";
import { jobDocument, outputIn } from "./document.ts";
import { idempotencyKey } from "./keys.ts";

/** A job as its owner holds it in memory: the claimed row, moved on by each plan. */
export type Job = Omit<ClaimedJob, "messages"> & {
  /** Of a branch: the scopes around it, the outermost first. */
  readonly around?: readonly Scope[];
};

/** Names one attempt of one step of a job. */
export interface AttemptRef {
  step_id: string;
  visit: number;
  attempt: number;
  /** The attempt's output is being checked by another executor. */
  check?: true;
}

/** The attempt that the job's owner is to make, or has out. */
export function currentAttempt(job: Job): AttemptRef {
  const { visit, attempt, checking } = job.state;
  return {
    step_id: job.current_step_id,
    visit,
    attempt,
    ...(checking === undefined ? {} : { check: true }),
  };
}

/** Whether two names mean the same attempt. */
export function isSameAttempt(a: AttemptRef, b: AttemptRef): boolean {
  return a.step_id === b.step_id && a.visit === b.visit && a.attempt === b.attempt &&
    a.check === b.check;
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

/** Whether the job is the child of a map for one of its items. */
export function isItem({ branch }: Job): boolean {
  return branch !== null && !branch.slice(branch.lastIndexOf("/") + 1).includes(".");
}

/** What flows into a step that names no input: the output of the step that led here. */
export function flowingInto(job: Job): unknown {
  const { previous_step } = job.state;
  return previous_step === null ? startOf(job) : entryOf(job, previous_step)?.output ?? null;
}

/** What a job begins with: its input, its item, or what flowed into the step that branched. */
function startOf(job: Job): unknown {
  if (isItem(job)) return job.item;
  const { around = [] } = job;
  for (const scope of around.toReversed()) {
    if (scope.previous_step !== null) return outputIn(scope.step_data, scope.previous_step);
    if (scope.item_index !== null) return scope.item;
  }
  return around[0] === undefined ? job.input_data : around[0].input_data;
}

/**
 * What values and expressions of the current step see. Time stands still within a visit, and
 * chance is seeded by the attempt, so that a redelivery computes what the first delivery did.
 *
 * @param more names beside those of the document, such as `item` or `event`
 */
export function evaluationContext(
  job: Job,
  more: Readonly<Record<string, unknown>> = {},
): EvaluationContext {
  const document = documentOf(job);
  return {
    document: Object.keys(more).length === 0 ? document : { ...document, ...more },
    now: new Date(job.state.entered_at ?? Date.parse(job.started_at)),
    seed: idempotencyKey(job.job_id, currentAttempt(job)),
  };
}

function documentOf(job: Job) {
  const index = isItem(job) ? job.item_index ?? undefined : undefined;
  return jobDocument({ ...job, id: job.job_id, index });
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
    ...(state.checking === undefined ? {} : { checking: state.checking }),
    ...(state.rerun === undefined ? {} : { rerun: state.rerun }),
    ...(state.paused ? { paused: true } : {}),
    ...(state.ending === undefined ? {} : { ending: state.ending }),
    ...(Object.keys(state.events).length === 0 ? {} : { events: state.events }),
    ...(state.not_before === undefined ? {} : { not_before: state.not_before }),
  };
}
