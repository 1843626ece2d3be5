import { type ErrorInfo, errorInfo } from "../../contracts/errors.ts";
import type { Message } from "../../contracts/turn.ts";
import type { CheckedApproval } from "../definition/approval.ts";
import { iso } from "../draft.ts";
import { assigneesRule } from "../definition/value_rules.ts";
import { evaluationContext, type Job } from "../job.ts";
import { ruledValue } from "../ruled_value.ts";
import type { Parked, Settlement, StepHandler } from "./handler.ts";
import { cutText } from "../text.ts";

/** Waits for a person's decision. */
export const approvalHandler: StepHandler<"approval"> = {
  async begin(job, { id, ask }, { now }) {
    return await question(job, `steps.${id}`, ask, now);
  },

  expire: (_job, { id, step }) => ({
    type: "failed",
    error: approvalTimeout(id, step.timeout_seconds),
    next: step.on_timeout,
  }),

  receive(_job, { id, step, ask }, message) {
    const decision = readDecision(message);
    const fault = formFault(id, ask, decision);
    return Promise.resolve(fault ?? settle(decision));

    function settle(output: Decided): Settlement {
      if (output.decision === "approved") return { type: "completed", output };
      if (step.on_reject !== undefined) {
        return { type: "completed", output, next: step.on_reject };
      }
      return { type: "failed", error: rejected(id, output) };
    }
  },
};

/** What a person decided, as the output of an approval has it. */
export interface Decided {
  readonly decision: "approved" | "rejected";
  /** The id of who decided; null where it was the service. */
  readonly by: unknown;
  /** RFC 3339. */
  readonly at: unknown;
  readonly notes: unknown;
  readonly form: unknown;
}

/**
 * A step that waits for a person to answer.
 *
 * @param place of the question in the definition
 * @throws {EngineError} `mapping_failed` where the values do not give a question
 */
export async function question(
  job: Job,
  place: string,
  ask: CheckedApproval,
  now: number,
  more: Readonly<Record<string, unknown>> = {},
): Promise<Parked> {
  const context = evaluationContext(job, more);
  const title = ask.title === null ? null : await ask.title.evaluate(context);
  const details = ask.details === null ? null : await ask.details.evaluate(context);
  const assignees = ask.assignees === null
    ? null
    : await ruledValue(ask.assignees, context, assigneesRule, `${place}.assignees`);
  const until = ask.timeoutSeconds === null ? null : iso(now + ask.timeoutSeconds * 1000);
  return {
    type: "parked",
    waiting: { kind: "approval", since: iso(now), until },
    question: {
      title: titleOf(title) ?? `Approve step '${job.current_step_id}'`,
      details,
      // The rule has seen to it that there are none but texts.
      assignees: assignees === null ? null : [assignees].flat() as string[],
      form: ask.form,
      allow_self: ask.allowSelf,
      expires_at: until,
    },
  };
}

/** The decision in a message of that kind. */
export function readDecision({ payload }: Message): Decided {
  return {
    decision: payload["decision"] === "approved" ? "approved" : "rejected",
    by: payload["by"] ?? null,
    at: payload["at"] ?? null,
    notes: payload["notes"] ?? null,
    form: payload["form"] ?? null,
  };
}

/** An approval whose form does not fit, which is another attempt's business; null where it fits. */
export function formFault(
  id: string,
  ask: CheckedApproval,
  { decision, form }: Decided,
): Settlement | null {
  if (decision === "rejected" || ask.form === null) return null;
  const problems = ask.formProblems(form);
  if (problems.length === 0) return null;
  const message = problems.map(({ path, message }) => `${path || "form"} ${message}`).join("; ");
  return {
    type: "failed",
    error: errorInfo("validation_failed", `The form of step '${id}' does not fit: ${message}`, {
      details: problems,
    }),
  };
}

export function approvalTimeout(id: string, seconds: number | null | undefined): ErrorInfo {
  return errorInfo("approval_timeout", `Nobody decided step '${id}' within ${seconds} s`);
}

function rejected(id: string, { by, notes }: Decided): ErrorInfo {
  const why = typeof notes === "string" && notes !== "" ? `: ${notes}` : "";
  return errorInfo("rejected", `Step '${id}' was rejected${why}`, { details: { by, notes } });
}

const MAX_TITLE = 200;

function titleOf(value: unknown): string | null {
  if (value === null || value === undefined || value === "") return null;
  return cutText(typeof value === "string" ? value : JSON.stringify(value), MAX_TITLE);
}
