import { type ErrorInfo, errorInfo } from "../contracts/errors.ts";
import type { Message } from "../contracts/turn.ts";
import { nextAdmission } from "./admission.ts";
import type { Decision, Effect, PlanContext, PlanEvent, SentAttempt } from "./decision.ts";
import { Draft, iso, PlanDraft } from "./draft.ts";
import { EngineError } from "./errors.ts";
import { currentAttempt, isFresh, isSameAttempt, type Job } from "./job.ts";
import { NO_MESSAGES, type ReadMessages, readMessages } from "./messages.ts";
import {
  advance,
  cancelJob,
  checkInput,
  currentStep,
  failAttempt,
  isPastDeadline,
  pastDeadline,
  record,
  settle,
} from "./progress.ts";
import { beginAnew, rerun } from "./rerun.ts";
import { checkStorable } from "./storable.ts";
import { lookAtChildren, lookAtWait, sentBefore } from "./waiting.ts";

/**
 * Decides what becomes of a job: a pure function of what is known. The same arguments always give
 * the same decision, so a decision that was lost in a crash is simply made again.
 */
export async function plan(context: PlanContext, job: Job, event: PlanEvent): Promise<Decision> {
  const draft = new PlanDraft(job, context);
  try {
    return draft.decide(await planEvent(draft, event));
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return draft.decide(draft.fail(error.info));
  }
}

/** Ends a job that cannot be planned: its definition is unusable, or planning itself has failed. */
export function failJob(job: Job, now: number, error: ErrorInfo): Decision {
  const draft = new Draft(job, now);
  return draft.decide(draft.fail(error));
}

/** Gives a job back before its attempt was sent: it is due at once, for another run. */
export function releaseJob(job: Job, now: number): Decision {
  const draft = new Draft(job, now);
  return draft.decide(draft.park("pending", now));
}

async function planEvent(draft: PlanDraft, event: PlanEvent): Promise<Effect> {
  switch (event.type) {
    case "claimed":
      return await planClaimed(draft, event.messages);
    case "again":
      return await advance(draft);
    case "admitted":
      return await goOn(draft, NO_MESSAGES, await sentBefore(draft));
    case "result":
      return await planResult(draft, event);
    case "lost":
      return await planLost(draft, event);
    case "messages":
      return await planMessages(draft, event);
    case "children":
      return await planChildren(draft, event);
    case "scattered":
      return await planScattered(draft);
  }
}

/** The job was leased: somebody waits for something that is over, or it is simply its turn. */
async function planClaimed(draft: PlanDraft, messages: readonly Message[]): Promise<Effect> {
  const read = readMessages(draft, messages);
  if (read.retry !== null) {
    // A callback that comes now is for an attempt that has its record.
    if (read.result !== null) draft.event("late_result_dropped", { ...currentAttempt(draft.job) });
    read.result = null;
    beginAnew(draft, read.retry);
  }
  const { ending } = draft.job.state;
  if (ending !== undefined) return draft.endWith(ending.status, ending.error);
  const sent = await sentBefore(draft);
  if (read.cancel !== null) return cancelJob(draft, read.cancel, sent);
  if (isPastDeadline(draft)) {
    const fault = pastDeadline(draft);
    if (sent !== undefined) record(draft, currentStep(draft), "failed", sent, { error: fault });
    return draft.fail(fault);
  }
  keepPace(draft, read);
  return await goOn(draft, read, sent);
}

/** What has not begun yet begins, and what waits looks whether it still has to. */
async function goOn(
  draft: PlanDraft,
  read: ReadMessages,
  before: SentAttempt | undefined,
): Promise<Effect> {
  const { job, context } = draft;
  const { waiting, paused, not_before, rerun: wish } = job.state;
  const runAt = job.run_at ? Date.parse(job.run_at) : -Infinity;
  const sent = before ?? { input: null, startedAt: context.now };
  // What the job waited for when it ended is history.
  const isWaiting = waiting !== undefined && wish === undefined;
  if (read.result !== null) return await settleCallback(draft, read.result, sent);
  if (isWaiting) return await lookAtWait(draft, waiting, read, sent);
  if (paused) {
    // Whoever resumes the job does not shorten the wait for its retry.
    if (job.retry) draft.setState({ not_before: job.retry.at });
    return draft.pause();
  }

  // A message has woken it before its time.
  if (runAt > context.now && isFresh(job) && wish === undefined) {
    return draft.park("pending", runAt);
  }
  const admission = await nextAdmission(job, context);
  if (admission !== null) {
    // The database says when, should it not be now.
    if (admission.kind === "start") draft.setState({ not_before: iso(context.now) });
    return draft.admit(admission);
  }
  if (not_before !== undefined && context.now < Date.parse(not_before)) {
    return draft.park("pending", Date.parse(not_before));
  }
  if (wish !== undefined) return rerun(draft, wish) ?? await advance(draft);
  if (job.retry && context.now < Date.parse(job.retry.at)) {
    return draft.retry(job.retry.error, Date.parse(job.retry.at));
  }
  // Not for ever: a check that no owner survives counts as a delivery that was lost.
  if (isFresh(job) && job.redeliveries <= context.maxRedeliveries) {
    const fault = checkInput(draft);
    if (fault !== null) return draft.fail(fault);
  }
  if (job.redeliveries > 0) return await redeliver(draft, "its lease ran out", sent);
  return await advance(draft);
}

/** The attempt that was out has a result. */
async function planResult(
  draft: PlanDraft,
  event: PlanEvent & { type: "result" },
): Promise<Effect> {
  const { attempt, result } = event;
  if (!isSameAttempt(attempt, currentAttempt(draft.job))) return { type: "keep" };
  const sent = await sentOf(draft, event.sent);
  return result.status === "accepted"
    ? await awaitCallback(draft, sent)
    : await settle(draft, result, sent);
}

/** Nobody knows whether the work was done: the same attempt again, under the same key. */
async function planLost(draft: PlanDraft, event: PlanEvent & { type: "lost" }): Promise<Effect> {
  if (!isSameAttempt(event.attempt, currentAttempt(draft.job))) return { type: "keep" };
  draft.setJob({ redeliveries: draft.job.redeliveries + 1 });
  return await redeliver(draft, event.reason, await sentOf(draft, event.sent));
}

async function planMessages(
  draft: PlanDraft,
  event: PlanEvent & { type: "messages" },
): Promise<Effect> {
  const read = readMessages(draft, event.messages);
  const { waiting, rerun: wish } = draft.job.state;
  // Nothing is out before a job that had ended has begun once more.
  const sent = wish === undefined ? await sentOf(draft, event.sent) : undefined;
  if (read.cancel !== null) return cancelJob(draft, read.cancel, sent);
  keepPace(draft, read);
  if (sent === undefined) return { type: "keep" };
  if (read.result !== null) return await settleCallback(draft, read.result, sent);
  if (read.refusal !== null && waiting !== undefined) {
    return await lookAtWait(draft, waiting, read, sent);
  }
  return { type: "keep" };
}

/** What came by callback has passed nobody yet who looks at its size. */
async function settleCallback(
  draft: PlanDraft,
  result: NonNullable<ReadMessages["result"]>,
  sent: SentAttempt,
): Promise<Effect> {
  if (result.status === "failed") return await settle(draft, result, sent);
  try {
    checkStorable(
      result.output,
      draft.context.maxPayloadBytes,
      `The output of step '${draft.job.current_step_id}'`,
    );
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return await failAttempt(draft, { ...sent, error: error.info });
  }
  return await settle(draft, result, sent);
}

/** Of a check, the attempt began with the work that is being checked. */
async function sentOf(draft: PlanDraft, sent: SentAttempt): Promise<SentAttempt> {
  const { waiting, checking } = draft.job.state;
  return waiting === undefined && checking === undefined ? sent : await sentBefore(draft) ?? sent;
}

async function planChildren(
  draft: PlanDraft,
  { ends }: PlanEvent & { type: "children" },
): Promise<Effect> {
  const { waiting } = draft.job.state;
  if (waiting?.kind !== "children") return { type: "keep" };
  draft.joinAhead(ends.filter(({ status }) => status !== "completed").length);
  return await lookAtChildren(draft, waiting, sinceOf(waiting), ends);
}

/** From here on the database tells when the children have ended. */
async function planScattered(draft: PlanDraft): Promise<Effect> {
  const { waiting } = draft.job.state;
  if (waiting?.kind !== "children") return { type: "keep" };
  draft.setWaiting(waiting);
  return await lookAtChildren(draft, waiting, sinceOf(waiting), null);
}

function sinceOf({ since }: { since: string }): SentAttempt {
  return { input: null, startedAt: Date.parse(since) };
}

/** Notes that somebody pauses the job, or has it go on. */
function keepPace(draft: PlanDraft, { pace, paceReason: reason }: ReadMessages): void {
  const { paused } = draft.job.state;
  if (pace === null || paused === (pace === "pause")) return;
  draft.setState({ paused: pace === "pause" });
  const type = pace === "pause" ? "pause_requested" : "resumed";
  draft.event(type, reason === null ? {} : { reason });
  draft.tellChildren(pace, reason);
}

async function redeliver(draft: PlanDraft, reason: string, sent: SentAttempt): Promise<Effect> {
  const { job, context } = draft;
  if (job.redeliveries > context.maxRedeliveries) {
    const error = errorInfo(
      "executor_crashed",
      `Step '${job.current_step_id}' did not survive ${job.redeliveries} deliveries: ${reason}`,
    );
    return await failAttempt(draft, { ...sent, error });
  }
  const { step_id, visit, attempt } = currentAttempt(job);
  draft.event("redelivered", { step_id, visit, attempt, redeliveries: job.redeliveries, reason });
  return await advance(draft);
}

async function awaitCallback(draft: PlanDraft, sent: SentAttempt): Promise<Effect> {
  const { step, id } = currentStep(draft);
  if (step.type !== "task" || !step.callback || draft.job.state.checking !== undefined) {
    const error = errorInfo(
      "invalid_result",
      `Executor accepted step '${id}' for later, but the step has no 'callback: true'`,
      { retryable: false },
    );
    return await failAttempt(draft, { ...sent, error });
  }
  const until = sent.startedAt + step.timeout_seconds * 1000;
  draft.event("callback_awaited", { until: iso(until) });
  draft.setWaiting({ kind: "callback", since: iso(sent.startedAt), until: iso(until) });
  return draft.park("waiting", until);
}
