import { errorInfo } from "../contracts/errors.ts";
import { reportedErrorSchema } from "../contracts/executor.ts";
import type { Message, Waiting } from "../contracts/turn.ts";
import type { AttemptResult } from "./decision.ts";
import type { Draft } from "./draft.ts";
import { currentAttempt, isSameAttempt, type Job } from "./job.ts";
import { toErrorInfo } from "./reported_error.ts";

/** What a mailbox holds for the job as it stands. */
export interface ReadMessages {
  /** Why the job is to be cancelled; null when nobody asked. */
  cancel: string | null;
  /** How the job, which had ended, is to run once more. */
  retry: RetryWish | null;
  /** What the mailbox asked for last, if for any. */
  pace: "pause" | "resume" | null;
  /** Why it is to pause, where somebody said so. */
  paceReason: string | null;
  /** The result of the current attempt, when it came by callback. */
  result: Exclude<AttemptResult, { status: "accepted" }> | null;
  /** Events and decisions that the current step waits for, in the order in which they came. */
  awaited: Message[];
  /** Why the children that were to be started are not. */
  refusal: string | null;
}

/** What an empty mailbox holds. */
export const NO_MESSAGES: Readonly<ReadMessages> = {
  cancel: null,
  retry: null,
  pace: null,
  paceReason: null,
  result: null,
  awaited: [],
  refusal: null,
};

/** How a job is to run once more. */
export interface RetryWish {
  /** Null: the step at which it ended. */
  readonly fromStep: string | null;
  /** Of the children of that step, those alone that failed; else all anew. */
  readonly failedItemsOnly: boolean;
}

/**
 * Reads a mailbox to its end. Every message is consumed: one that answers another attempt than the
 * current is recorded as late and dropped.
 */
export function readMessages(draft: Draft, messages: readonly Message[]): ReadMessages {
  const read: ReadMessages = { ...NO_MESSAGES, awaited: [] };
  for (const message of messages) {
    draft.consume(message.id);
    readMessage(draft, message, read);
  }
  return read;
}

function readMessage(draft: Draft, message: Message, read: ReadMessages): void {
  const { kind, payload, step_id, visit, attempt } = message;
  switch (kind) {
    case "cancel":
      read.cancel ??= text(payload["reason"]) ?? "Cancelled on request";
      draft.event("cancel_requested", { reason: read.cancel });
      return;
    case "retry":
      read.retry = {
        fromStep: text(payload["from_step"]),
        failedItemsOnly: payload["failed_items_only"] !== false,
      };
      return;
    case "pause":
    case "resume":
      read.pace = kind;
      read.paceReason = text(payload["reason"]);
      return;
    case "step_result":
      if (isCurrent(draft.job, message) && read.result === null) read.result = resultOf(message);
      else draft.event("late_result_dropped", { step_id, visit, attempt });
      return;
    case "event":
    case "decision":
      if (isAwaited(draft.job, message)) read.awaited.push(message);
      else draft.event("late_result_dropped", { step_id, visit, kind });
      return;
    case "spawn_refused":
      if (isOfWait(draft.job, message, ["children", "start"])) {
        read.refusal = text(payload["message"]) ?? "The children could not be started";
      } else draft.event("late_result_dropped", { step_id, visit, kind });
      return;
  }
}

function isCurrent(job: Job, { step_id, visit, attempt }: Message): boolean {
  // Of a job that is to run once more, the attempt has its record.
  return job.state.rerun === undefined && step_id !== null && visit !== null && attempt !== null &&
    isSameAttempt({ step_id, visit, attempt }, currentAttempt(job));
}

function isAwaited(job: Job, message: Message): boolean {
  const { kind, attempt } = message;
  return isOfWait(job, message, [kind === "decision" ? "approval" : "event"]) &&
    (attempt === null || attempt === job.state.attempt);
}

/** Whether a message is for the visit in which the job waits for something of these kinds. */
function isOfWait(
  { state, current_step_id }: Job,
  { step_id, visit }: Message,
  kinds: readonly Waiting["kind"][],
): boolean {
  return state.waiting !== undefined && kinds.includes(state.waiting.kind) &&
    step_id === current_step_id && visit === state.visit;
}

function text(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function resultOf({ payload }: Message): Exclude<AttemptResult, { status: "accepted" }> {
  if (payload["status"] === "completed") {
    return { status: "completed", output: payload["output"] ?? null };
  }
  const error = reportedErrorSchema.safeParse(payload["error"]);
  return {
    status: "failed",
    error: error.success
      ? toErrorInfo(error.data)
      : errorInfo("invalid_result", "The callback reported an error that is not {code, message}"),
  };
}
