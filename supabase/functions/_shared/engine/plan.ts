import { type ErrorInfo, errorInfo } from "../contracts/errors.ts";
import type { Message } from "../contracts/turn.ts";
import type { Decision, Effect, PlanContext, PlanEvent, SentAttempt } from "./decision.ts";
import { Draft, PlanDraft } from "./draft.ts";
import { EngineError } from "./errors.ts";
import { currentAttempt, isFresh, isSameAttempt, type Job } from "./job.ts";
import { readMessages } from "./messages.ts";
import {
  advance,
  cancelJob,
  checkInput,
  currentStep,
  failAttempt,
  failPastDeadline,
  isPastDeadline,
  recallInput,
  settle,
} from "./progress.ts";

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
    case "result":
      return await planResult(draft, event);
    case "lost":
      return await planLost(draft, event);
    case "messages":
      return await planMessages(draft, event);
  }
}

/** The job was leased: somebody waits for something that is over, or it is simply its turn. */
async function planClaimed(draft: PlanDraft, messages: readonly Message[]): Promise<Effect> {
  const { job, context } = draft;
  const { waiting } = job.state;
  const read = readMessages(draft, messages);
  const parked = waiting &&
    { input: await recallInput(draft), startedAt: Date.parse(waiting.since) };
  if (read.cancel !== null) return cancelJob(draft, read.cancel, parked);
  if (isPastDeadline(draft)) return failPastDeadline(draft);
  const sent = parked ?? { input: null, startedAt: context.now };
  if (read.result !== null) return await settle(draft, read.result, sent);

  if (waiting !== undefined) {
    const until = Date.parse(waiting.until);
    if (context.now < until) return draft.park("waiting", until);
    const error = errorInfo(
      "timeout",
      `No callback came for step '${job.current_step_id}' in time`,
    );
    return await failAttempt(draft, { ...sent, error });
  }
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
  const { attempt, result, sent } = event;
  if (!isSameAttempt(attempt, currentAttempt(draft.job))) return { type: "keep" };
  return result.status === "accepted"
    ? await awaitCallback(draft, sent)
    : await settle(draft, result, sent);
}

/** Nobody knows whether the work was done: the same attempt again, under the same key. */
async function planLost(draft: PlanDraft, event: PlanEvent & { type: "lost" }): Promise<Effect> {
  if (!isSameAttempt(event.attempt, currentAttempt(draft.job))) return { type: "keep" };
  draft.setJob({ redeliveries: draft.job.redeliveries + 1 });
  return await redeliver(draft, event.reason, event.sent);
}

async function planMessages(
  draft: PlanDraft,
  event: PlanEvent & { type: "messages" },
): Promise<Effect> {
  const read = readMessages(draft, event.messages);
  if (read.cancel !== null) return cancelJob(draft, read.cancel, event.sent);
  if (read.result !== null) return await settle(draft, read.result, event.sent);
  return { type: "keep" };
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
  draft.event("redelivered", { ...currentAttempt(job), redeliveries: job.redeliveries, reason });
  return await advance(draft);
}

async function awaitCallback(draft: PlanDraft, sent: SentAttempt): Promise<Effect> {
  const { step, id } = currentStep(draft);
  if (step.type !== "task" || !step.callback) {
    const error = errorInfo(
      "invalid_result",
      `Executor accepted step '${id}' for later, but the step has no 'callback: true'`,
      { retryable: false },
    );
    return await failAttempt(draft, { ...sent, error });
  }
  const until = sent.startedAt + step.timeout_seconds * 1000;
  draft.event("callback_awaited", { until: new Date(until).toISOString() });
  draft.setState({
    waiting: {
      kind: "callback",
      since: new Date(sent.startedAt).toISOString(),
      until: new Date(until).toISOString(),
    },
  });
  return draft.park("waiting", until);
}
