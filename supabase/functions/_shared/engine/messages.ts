import { errorInfo } from "../contracts/errors.ts";
import { reportedErrorSchema } from "../contracts/executor.ts";
import type { Message } from "../contracts/turn.ts";
import type { AttemptResult } from "./decision.ts";
import type { Draft } from "./draft.ts";
import { currentAttempt, isSameAttempt } from "./job.ts";
import { toErrorInfo } from "./reported_error.ts";

/** What a mailbox holds for the job as it stands. */
export interface ReadMessages {
  /** Why the job is to be cancelled; null when nobody asked. */
  cancel: string | null;
  /** The result of the current attempt, when it came by callback. */
  result: Exclude<AttemptResult, { status: "accepted" }> | null;
}

/**
 * Reads a mailbox to its end. Every message is consumed: one that answers another attempt than the
 * current is recorded as late and dropped.
 */
export function readMessages(draft: Draft, messages: readonly Message[]): ReadMessages {
  const read: ReadMessages = { cancel: null, result: null };
  for (const message of messages) {
    draft.consume(message.id);
    switch (message.kind) {
      case "cancel":
        read.cancel ??= cancelReason(message);
        draft.event("cancel_requested", { reason: read.cancel });
        break;
      case "step_result": {
        const { step_id, visit, attempt } = message;
        const isCurrent = step_id !== null && visit !== null && attempt !== null &&
          isSameAttempt({ step_id, visit, attempt }, currentAttempt(draft.job));
        if (isCurrent && read.result === null) read.result = resultOf(message);
        else draft.event("late_result_dropped", { step_id, visit, attempt });
        break;
      }
    }
  }
  return read;
}

function cancelReason({ payload }: Message): string {
  return typeof payload["reason"] === "string" ? payload["reason"] : "Cancelled on request";
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
