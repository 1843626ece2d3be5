import type { Effect } from "./decision.ts";
import { iso, type PlanDraft } from "./draft.ts";
import { entryOf } from "./job.ts";
import type { RetryWish } from "./messages.ts";
import { checkInput, untilOf } from "./progress.ts";

/**
 * Sets a job that had ended to run once more; what earlier steps gave is kept. Null: the job stands
 * at the step from which it is to go on.
 */
export function rerun(draft: PlanDraft, { fromStep, failedItemsOnly }: RetryWish): Effect | null {
  const { job } = draft;
  const { waiting, attempt } = job.state;
  const step = fromStep ?? job.current_step_id;
  draft.event("retried", { from_step: step });
  draft.setState({
    ending: undefined,
    paused: false,
    checking: undefined,
    handling_error: false,
    not_before: undefined,
    // The budget is that of one run.
    steps_visited: 0,
  });
  const fault = checkInput(draft);
  if (fault !== null) return draft.fail(fault);
  if (step === job.current_step_id && waiting?.kind === "children" && failedItemsOnly) {
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
function previousOf({ job, context }: PlanDraft, step: string): string | null {
  if (step === job.current_step_id) return job.state.previous_step;
  for (const [id, checked] of context.definition.steps) {
    const leads = checked.step.type === "choice"
      ? checked.step.choices.some(({ next_step }) => next_step === step)
      : checked.step.next_step === step;
    if (leads && entryOf(job, id)?.status === "completed") return id;
  }
  return null;
}
