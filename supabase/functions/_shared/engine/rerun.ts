import type { JobState, StepEntry } from "../contracts/turn.ts";
import type { Effect } from "./decision.ts";
import type { CheckedStep } from "./definition/checked.ts";
import { onErrorTargets, targetsOf } from "./definition/targets.ts";
import { iso, type PlanDraft } from "./draft.ts";
import { entryOf } from "./job.ts";
import type { RetryWish } from "./messages.ts";
import { checkInput, untilOf } from "./progress.ts";

/** Notes that a job which had ended is to run once more. */
export function beginAnew(draft: PlanDraft, { fromStep, failedItemsOnly }: RetryWish): void {
  draft.event("retried", { from_step: fromStep ?? draft.job.current_step_id });
  draft.setState({
    rerun: { from_step: fromStep, failed_items_only: failedItemsOnly },
    ending: undefined,
    paused: false,
    checking: undefined,
    handling_error: false,
    not_before: undefined,
    // The budget is that of one run.
    steps_visited: 0,
  });
}

/**
 * Sets such a job to where it is to go on from, once it may; what earlier steps gave is kept. Null:
 * it stands there.
 */
export function rerun(draft: PlanDraft, wish: NonNullable<JobState["rerun"]>): Effect | null {
  const { job } = draft;
  const { waiting, attempt } = job.state;
  const step = wish.from_step ?? job.current_step_id;
  draft.setState({ rerun: undefined });
  const fault = checkInput(draft);
  if (fault !== null) return draft.fail(fault);
  if (step === job.current_step_id && waiting?.kind === "children" && wish.failed_items_only) {
    const until = waiting.until === null
      ? null
      : iso(draft.now + untilOf(waiting) - Date.parse(waiting.since));
    // The attempt before has its record.
    draft.setState({ attempt: attempt + 1, steps_visited: 1 });
    draft.setWaiting({ ...waiting, failure: undefined, since: iso(draft.now), until });
    draft.reopenChildren();
    return draft.park("waiting", until === null ? Infinity : Date.parse(until));
  }
  draft.enter(step, previousOf(draft, step));
  return null;
}

/** The step whose output led to a step: the one before it that has an output and leads there. */
function previousOf(draft: PlanDraft, step: string): string | null {
  const { job } = draft;
  return step === job.current_step_id
    ? job.state.previous_step
    : leadingTo(draft, step, new Set([step])) ?? failedBefore(draft, step);
}

/** @param seen steps that were looked at, as ways may go in circles */
function leadingTo(draft: PlanDraft, step: string, seen: Set<string>): string | null {
  for (const [id, checked] of draft.context.definition.steps) {
    const status = entryOf(draft.job, id)?.status;
    if (seen.has(id) || status === undefined || !leadsTo(checked, step, status)) continue;
    if (status === "failed" || (status === "completed" && handsOn(checked))) return id;
    seen.add(id);
    const before = leadingTo(draft, id, seen);
    if (before !== null) return before;
  }
  return null;
}

/** The ways on from a step that has failed. */
const AFTER_FAILURE = /^(on_error|on_timeout|validate\.next_step_on_fail)\b/;

/** Whether a step that ended like this leads to another. */
function leadsTo({ step }: CheckedStep, next: string, status: StepEntry["status"]): boolean {
  return targetsOf(step, "").some((target) =>
    target.step === next && AFTER_FAILURE.test(target.path) === (status === "failed")
  );
}

/** Of a step that handles the errors of the whole workflow, a step whose error it may have been. */
function failedBefore(draft: PlanDraft, step: string): string | null {
  const { on_error, steps } = draft.context.definition;
  if (!onErrorTargets(on_error, "on_error").some((target) => target.step === step)) return null;
  const isFailed = (id: string) => id !== step && entryOf(draft.job, id)?.status === "failed";
  return [...steps.keys()].find(isFailed) ?? null;
}

/** Whether the output of a step is something to work with. */
function handsOn({ step }: CheckedStep): boolean {
  return step.type !== "choice" && step.type !== "wait";
}
