import { errorInfo } from "../contracts/errors.ts";
import type { ChildEnd, Message, Waiting } from "../contracts/turn.ts";
import type { Effect, SentAttempt } from "./decision.ts";
import { iso, type PlanDraft } from "./draft.ts";
import { EngineError } from "./errors.ts";
import type { ReadMessages } from "./messages.ts";
import { applySettlement, currentStep, failAttempt, recallInput, untilOf } from "./progress.ts";
import { childrenFailed } from "./steps/children.ts";
import { handlerOf } from "./steps/index.ts";
import { beganAt } from "./steps/wait_for_event.ts";

/** What a step waits for, in the one form that it has. */
type WaitingFor<K extends Waiting["kind"]> = Extract<Waiting, { kind: K }>;

/**
 * What was sent of an attempt that an owner before this one has begun: recalled where it was work,
 * and nothing where the step only waits. Undefined where the job does not stand in the middle.
 */
export async function sentBefore(draft: PlanDraft): Promise<SentAttempt | undefined> {
  const { waiting, checking, rerun } = draft.job.state;
  // What was out when the job ended has its record.
  if (rerun !== undefined) return undefined;
  if (checking !== undefined || waiting?.kind === "callback") {
    const since = checking?.since ?? waiting?.since ?? iso(draft.now);
    return { input: await recallInput(draft), startedAt: Date.parse(since) };
  }
  return waiting && { input: null, startedAt: Date.parse(waiting.since) };
}

/** Looks whether a wait is over; if not, the job goes on waiting. */
export async function lookAtWait(
  draft: PlanDraft,
  waiting: Waiting,
  { awaited, refusal }: ReadMessages,
  sent: SentAttempt,
): Promise<Effect> {
  if (refusal !== null) return await refuse(draft, refusal, sent);
  switch (waiting.kind) {
    case "callback":
    case "timer":
      break;
    case "event":
      return await lookAtEvents(draft, waiting, awaited, sent);
    case "approval": {
      const [decision] = awaited;
      if (decision === undefined) break;
      return await decided(draft, decision, sent);
    }
    case "children":
      return await lookAtChildren(draft, waiting, sent);
    case "start": {
      const output = { job_id: waiting.job_id };
      return await applySettlement(draft, { type: "completed", output }, sent);
    }
  }
  return await expireOr(draft, waiting, sent, () => draft.park("waiting", untilOf(waiting)));
}

async function expireOr(
  draft: PlanDraft,
  waiting: Waiting,
  sent: SentAttempt,
  wait: () => Effect,
): Promise<Effect> {
  if (draft.now < untilOf(waiting)) return wait();
  const checked = currentStep(draft);
  const settlement = handlerOf(checked).expire?.(draft.job, checked);
  if (settlement === undefined) throw new Error(`A ${checked.step.type} does not expire`);
  if (waiting.kind === "approval") draft.setWaiting(undefined, "expired");
  return await applySettlement(draft, settlement, sent);
}

async function decided(draft: PlanDraft, decision: Message, sent: SentAttempt): Promise<Effect> {
  const { decision: said, by } = decision.payload;
  draft.event("approval_decided", { decision: said, by });
  draft.setWaiting(undefined, null);
  const checked = currentStep(draft);
  const settlement = await handlerOf(checked).receive?.(draft.job, checked, decision);
  if (!settlement) throw new Error(`A ${checked.step.type} takes no decisions`);
  return await applySettlement(draft, settlement, sent);
}

async function lookAtEvents(
  draft: PlanDraft,
  waiting: WaitingFor<"event">,
  events: readonly Message[],
  sent: SentAttempt,
): Promise<Effect> {
  const checked = currentStep(draft);
  let { after } = waiting;
  const wait = () => {
    const { event, key } = waiting;
    draft.setWaiting({ ...waiting, after });
    draft.subscribe({ event, key, after, since: beganAt(draft.job) });
    return draft.park("waiting", untilOf(waiting));
  };
  for (const message of events) {
    const { event_id, position } = message.payload;
    after = Math.max(after, Number(position));
    try {
      const settlement = await handlerOf(checked).receive?.(draft.job, checked, message);
      if (!settlement) {
        // What lies behind the end of a page was not handed over, unlike what came live after it;
        // it counts, whether the time is over or not.
        if (message.payload["more"] === true) return wait();
        continue;
      }
      draft.event("event_received", { event_id, name: waiting.event });
      noteEvents(draft, checked.id, after);
      return await applySettlement(draft, settlement, sent);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      noteEvents(draft, checked.id, after);
      return await failAttempt(draft, { ...sent, error: error.info });
    }
  }
  return await expireOr(draft, waiting, sent, wait);
}

/** A later visit of the step waits for a later event. */
function noteEvents(draft: PlanDraft, stepId: string, position: number): void {
  draft.setState({ events: { ...draft.job.state.events, [stepId]: position } });
}

/** Goes on once all children have ended; too many failures and the time limit end the others. */
export async function lookAtChildren(
  draft: PlanDraft,
  waiting: WaitingFor<"children">,
  sent: SentAttempt,
  ends: readonly ChildEnd[] | null = draft.job.children,
): Promise<Effect> {
  const { open_children, failed_children } = draft.job;
  if (open_children === 0) {
    return waiting.failure === undefined
      ? await join(draft, waiting, sent, ends)
      : await failAttempt(draft, { ...sent, error: waiting.failure });
  }
  if (waiting.failure !== undefined) return draft.park("waiting", Infinity);
  const failure = failed_children > waiting.tolerated
    ? failureOf(draft, failedOf(ends ?? []), failed_children).error
    : draft.now >= untilOf(waiting)
    ? errorInfo("timeout", `The children of step '${draft.job.current_step_id}' took too long`)
    : null;
  if (failure === null) return draft.park("waiting", untilOf(waiting));
  draft.setWaiting({ ...waiting, failure });
  draft.tellChildren("cancel", failure.message);
  return draft.park("waiting", Infinity);
}

async function join(
  draft: PlanDraft,
  { total, tolerated }: WaitingFor<"children">,
  sent: SentAttempt,
  ends: readonly ChildEnd[] | null,
): Promise<Effect> {
  const checked = currentStep(draft);
  if (ends === null) {
    const message = `The results of the children of step '${checked.id}' are too large to collect`;
    return await failAttempt(draft, { ...sent, error: errorInfo("payload_too_large", message) });
  }
  const failed = failedOf(ends);
  // One that is not there any more was deleted by hand, and gives nothing.
  const count = failed.length + Math.max(total - ends.length, 0);
  const settlement = count > tolerated
    ? failureOf(draft, failed, count)
    : handlerOf(checked).join?.(checked, ends, total);
  if (settlement === undefined) throw new Error(`A ${checked.step.type} has no children`);
  try {
    return await applySettlement(draft, settlement, sent);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return await failAttempt(draft, { ...sent, error: error.info });
  }
}

function failedOf(ends: readonly ChildEnd[]): ChildEnd[] {
  return ends.filter(({ status }) => status !== "completed");
}

function failureOf(draft: PlanDraft, failed: readonly ChildEnd[], count: number) {
  const checked = currentStep(draft);
  // What failed first says why; those that were told to end because of it do not.
  const ordered = [
    ...failed.filter(({ status }) => status === "failed"),
    ...failed.filter(({ status }) => status === "cancelled"),
  ];
  return childrenFailed(
    checked.id,
    ordered,
    count,
    (end) => handlerOf(checked).childName?.(checked, end) ?? `child ${end.index}`,
  );
}

/** What the database could not start, as no such workflow is there any more. */
export async function refuse(
  draft: PlanDraft,
  message: string,
  sent: SentAttempt,
): Promise<Effect> {
  draft.setJob({ open_children: 0 });
  // There are none that a retry of the job could run once more.
  draft.setWaiting(undefined);
  return await failAttempt(draft, { ...sent, error: errorInfo("config_invalid", message) });
}
