import { type ErrorInfo, errorInfo } from "../contracts/errors.ts";
import type { StepEntry } from "../contracts/turn.ts";
import type { AttemptResult, Delivery, Effect, SentAttempt } from "./decision.ts";
import type { CheckedStep } from "./definition/checked.ts";
import { iso, type PlanDraft } from "./draft.ts";
import { EngineError } from "./errors.ts";
import { entryOf, evaluationContext } from "./job.ts";
import { findErrorHandler } from "./on_error.ts";
import { decideRetry, resolveRetryPolicy } from "./retry.ts";
import type { Settlement, StepOutcome } from "./steps/handler.ts";
import { handlerOf } from "./steps/index.ts";
import { isJudgedElsewhere, judge, readVerdict, settleVerdict } from "./steps/validate.ts";
import { checkStorable } from "./storable.ts";

/** An attempt that failed, before it is settled. */
type FailedAttempt = SentAttempt & { readonly error: ErrorInfo; readonly output?: unknown };

/** Steps that one decision may pass through, so that none grows without bound before it is kept. */
const MAX_MOVES = 100;

/** Goes on from the current step until something has to be waited for, or the job ends. */
export async function advance(draft: PlanDraft): Promise<Effect> {
  if (draft.job.state.paused) return draft.pause();
  const checked = currentStep(draft);
  const sent = { input: null, startedAt: draft.now };
  try {
    if (await isSkipped(draft, checked)) return await skip(draft, checked);
    const outcome = await handlerOf(checked).begin(draft.job, checked, draft.context);
    return await follow(draft, checked, outcome, sent);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return await failAttempt(draft, { ...sent, error: error.info });
  }
}

/** Does what a step wants. */
async function follow(
  draft: PlanDraft,
  checked: CheckedStep,
  outcome: StepOutcome,
  sent: SentAttempt,
): Promise<Effect> {
  switch (outcome.type) {
    case "dispatch":
      return { type: "dispatch", delivery: withinDeadline(draft, outcome.delivery) };
    case "completed":
    case "failed":
      return await applySettlement(draft, outcome, sent);
    case "parked": {
      const { waiting, subscription, question } = outcome;
      if (question !== undefined) {
        const limit = draft.context.maxPayloadBytes + QUESTION_OVERHEAD;
        checkStorable(question, limit, `What step '${checked.id}' asks`);
      }
      draft.setWaiting(waiting);
      if (subscription !== undefined) draft.subscribe(subscription);
      if (question !== undefined) {
        draft.ask(question);
        const { title, assignees } = question;
        draft.event("approval_asked", { title, assignees });
      }
      return draft.park("waiting", untilOf(waiting));
    }
    case "spawn": {
      const { waiting, spawn } = outcome;
      checkStorable(spawn.children, MAX_SPAWN_BYTES, `What step '${checked.id}' starts`);
      draft.setWaiting(waiting);
      draft.spawn(spawn);
      // Claimed at once: a refusal is then read before the start is taken for granted.
      if (spawn.detached) return draft.park("waiting", draft.now);
      draft.event("children_started", { children: spawn.children.length });
      return draft.park("waiting", untilOf(waiting));
    }
    case "succeed": {
      const { result } = outcome;
      if (result !== null) checkResult(draft, result.value);
      const output = result?.value ?? null;
      record(draft, checked, "completed", sent, { output });
      draft.setEntry({ output, status: "completed", error: null, attempts: 1 });
      return result === null
        ? await finish(draft, draft.job.state.previous_step)
        : draft.complete(result.value);
    }
    case "fail": {
      const { error } = outcome;
      checkResult(draft, error);
      record(draft, checked, "failed", sent, { error });
      draft.setEntry({ output: null, status: "failed", error, attempts: 1 });
      return draft.fail(error);
    }
  }
}

/** Room for what stands around an output that a person is to judge. */
const QUESTION_OVERHEAD = 65_536;

/** What all children of a spawn may be together, in bytes of JSON. */
const MAX_SPAWN_BYTES = 16 * 1_048_576;

/** When a wait is over by itself, in ms since 1970. */
export function untilOf({ until }: { until: string | null }): number {
  return until === null ? Infinity : Date.parse(until);
}

/** Takes the result of the current attempt, or of the check of its output. */
export async function settle(
  draft: PlanDraft,
  result: Exclude<AttemptResult, { status: "accepted" }>,
  sent: SentAttempt,
): Promise<Effect> {
  if (result.status === "failed") {
    return await failAttempt(draft, { ...sent, error: result.error });
  }
  const checked = currentStep(draft);
  if (checked.step.type !== "task" || !("validate" in checked) || checked.validate === null) {
    return await completeStep(draft, { type: "completed", output: result.output }, sent);
  }
  const { validate, id } = checked;
  const { checking } = draft.job.state;
  try {
    if (checking !== undefined && validate.type === "function") {
      const verdict = readVerdict(result.output, validate.rule.transformer_id);
      const settlement = settleVerdict(id, validate, checking.output, verdict);
      return await applySettlement(draft, settlement, sent);
    }
    if (isJudgedElsewhere(validate)) {
      // The callback has come: an owner after this one waits for the check alone.
      draft.setWaiting(undefined);
      draft.setState({ checking: { output: result.output, since: iso(sent.startedAt) } });
      if (draft.job.state.paused) return draft.pause();
      const outcome = await handlerOf(checked).begin(draft.job, checked, draft.context);
      return await follow(draft, checked, outcome, sent);
    }
    const verdict = await judge(draft.job, validate, result.output);
    return await applySettlement(draft, settleVerdict(id, validate, result.output, verdict), sent);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    const { output } = checking ?? result;
    return await failAttempt(draft, { ...sent, error: error.info, output });
  }
}

/** Ends the visit of the current step, or an attempt of it, as its type decided. */
export async function applySettlement(
  draft: PlanDraft,
  settlement: Settlement,
  sent: SentAttempt,
): Promise<Effect> {
  if (settlement.type === "completed") return await completeStep(draft, settlement, sent);
  const { error, output = null, next } = settlement;
  if (next === undefined) return await failAttempt(draft, { ...sent, error, output });
  const checked = currentStep(draft);
  record(draft, checked, "failed", sent, { error, output });
  const attempts = draft.job.state.attempt;
  draft.setEntry({ output, status: "failed", error, attempts });
  draft.event("error_handled", { code: error.code, next_step: next });
  return await goTo(draft, next, checked.id);
}

/** Settles an attempt that failed: again later, or on to an error handler, or the end. */
export async function failAttempt(draft: PlanDraft, failed: FailedAttempt): Promise<Effect> {
  const { job, context } = draft;
  const { error, output = null } = failed;
  const checked = currentStep(draft);
  record(draft, checked, "failed", failed, { error, output });
  if (isPastDeadline(draft)) return draft.fail(pastDeadline(draft));
  const decision = decideRetry({
    policy: resolveRetryPolicy({
      step: "retry" in checked.step && checked.step.type === "task"
        ? checked.step.retry
        : undefined,
      definition: context.definition.retry,
      transformer: transformerOf(draft, checked)?.retry,
      job_max_retries: job.max_retries,
    }),
    error,
    retriesUsed: job.retry_count,
    random: context.random,
  });
  if (decision.retry && isRepeatable(checked, error)) {
    draft.event("retry_scheduled", {
      attempt: job.state.attempt + 1,
      delay_seconds: decision.delay_seconds,
      code: error.code,
    });
    draft.setJob({ retry_count: job.retry_count + 1 });
    draft.setWaiting(undefined, closeFor(error));
    draft.setState({ attempt: job.state.attempt + 1, checking: undefined });
    return draft.retry(error, context.now + decision.delay_seconds * 1000);
  }
  draft.setEntry({ output, status: "failed", error, attempts: job.state.attempt });
  return await handleError(draft, checked, error);
}

/** A question that has run out of time, or has an answer, is not one that was called off. */
function closeFor(error: ErrorInfo): "expired" | null {
  return error.code === "approval_timeout" ? "expired" : null;
}

/** Whether the type of a step knows of further attempts: only work, and a form to fill in anew. */
function isRepeatable({ step }: CheckedStep, error: ErrorInfo): boolean {
  return step.type === "task" || (step.type === "approval" && error.code === "validation_failed");
}

/** Ends the job as cancelled. @param sent the attempt that is out, or waits for its callback */
export function cancelJob(draft: PlanDraft, reason: string, sent: SentAttempt | undefined): Effect {
  if (sent !== undefined) record(draft, currentStep(draft), "cancelled", sent, {});
  return draft.cancel(reason);
}

/** Whether the time limit of the whole job has passed. */
export function isPastDeadline({ job, context }: PlanDraft): boolean {
  return job.deadline_at !== null && context.now >= Date.parse(job.deadline_at);
}

/** The error of a job whose time is up. */
export function pastDeadline({ job }: PlanDraft): ErrorInfo {
  return errorInfo("timeout", `Job did not end before ${job.deadline_at}`);
}

/**
 * What the current attempt was sent, computed once more for its record: an owner that comes later
 * does not have it.
 */
export async function recallInput(draft: PlanDraft): Promise<unknown> {
  const checked = currentStep(draft);
  if (checked.step.type !== "task") return null;
  const { job, context } = draft;
  const unchecked = { ...job, state: { ...job.state, checking: undefined } };
  try {
    const outcome = await handlerOf(checked).begin(unchecked, checked, context);
    return outcome.type === "dispatch" ? outcome.delivery.input : null;
  } catch (error) {
    // Its transformer may be gone by now; that does not undo that the attempt was sent.
    if (!(error instanceof EngineError)) throw error;
    return null;
  }
}

/** Input that does not fit the workflow's schema, as an error; null when it fits. */
export function checkInput({ job, context }: PlanDraft): ErrorInfo | null {
  const problems = context.definition.inputProblems(job.input_data);
  if (problems.length === 0) return null;
  const message = problems.map((problem) => `${problem.path}: ${problem.message}`).join("; ");
  return errorInfo("input_invalid", `Input does not fit the workflow's input_schema: ${message}`, {
    details: problems,
  });
}

async function isSkipped({ job }: PlanDraft, { when }: CheckedStep): Promise<boolean> {
  if (when === null || job.state.checking !== undefined) return false;
  // Looked at anew for each attempt, with the first one's chance: the answer is the visit's.
  const first = { ...job, state: { ...job.state, attempt: 1 } };
  return !(await when.test(evaluationContext(first)));
}

async function skip(draft: PlanDraft, checked: CheckedStep): Promise<Effect> {
  record(draft, checked, "skipped", { input: null, startedAt: draft.now }, {});
  draft.setEntry({ output: null, status: "skipped", error: null, attempts: 0 });
  // A step that did nothing hands nothing on: what came before it still leads to the next.
  return await goTo(draft, checked.step.next_step, draft.job.state.previous_step);
}

async function completeStep(
  draft: PlanDraft,
  { output, next, handsOn = true, errors }: Settlement & { type: "completed" },
  sent: SentAttempt,
): Promise<Effect> {
  const checked = currentStep(draft);
  // What an executor has sent was looked at when it came.
  if (checked.step.type !== "task") checkResult(draft, output);
  record(draft, checked, "completed", sent, { output });
  const attempts = draft.job.state.attempt;
  const entry: StepEntry = { output, status: "completed", error: null, attempts };
  draft.setEntry(errors === undefined ? entry : { ...entry, errors });
  draft.setWaiting(undefined, null);
  draft.setState({ checking: undefined });
  const previous = handsOn ? checked.id : draft.job.state.previous_step;
  return await goTo(draft, next ?? checked.step.next_step, previous);
}

async function handleError(
  draft: PlanDraft,
  checked: CheckedStep,
  error: ErrorInfo,
): Promise<Effect> {
  const { definition } = draft.context;
  const own = findErrorHandler(
    "on_error" in checked.step ? checked.step.on_error : undefined,
    error.code,
  );
  if (own !== null) {
    draft.event("error_handled", { code: error.code, next_step: own });
    return await goTo(draft, own, checked.id);
  }
  const last = findErrorHandler(definition.on_error, error.code);
  if (last !== null && !draft.job.state.handling_error) {
    draft.event("error_handled", { code: error.code, next_step: last });
    draft.setState({ handling_error: true });
    return await goTo(draft, last, checked.id);
  }
  return draft.fail(error);
}

/** Enters the next step, or completes the job where there is none. */
async function goTo(
  draft: PlanDraft,
  next: string | null | undefined,
  previous: string | null,
): Promise<Effect> {
  if (next === null || next === undefined) return await finish(draft, previous);
  const { max_step_visits: budget } = draft.context.definition;
  if (draft.job.state.steps_visited >= budget) {
    return draft.fail(errorInfo(
      "step_budget_exceeded",
      `Job must end within ${budget} steps (max_step_visits): it would enter '${next}' as one more`,
    ));
  }
  draft.enter(next, previous);
  return draft.moves < MAX_MOVES ? await advance(draft) : { type: "again" };
}

async function finish(draft: PlanDraft, previous: string | null): Promise<Effect> {
  const { outputMap } = draft.context.definition;
  if (outputMap === null) {
    return draft.complete(previous === null ? null : entryOf(draft.job, previous)?.output ?? null);
  }
  try {
    const result = await outputMap.evaluate(evaluationContext(draft.job));
    checkResult(draft, result);
    return draft.complete(result);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return draft.fail(error.info);
  }
}

function checkResult({ job, context }: PlanDraft, value: unknown): void {
  checkStorable(value, context.maxPayloadBytes, `What step '${job.current_step_id}' gives`);
}

/** Records the end of the current attempt. */
export function record(
  draft: PlanDraft,
  checked: CheckedStep,
  status: "completed" | "failed" | "skipped" | "cancelled",
  sent: SentAttempt,
  { output = null, error = null }: { output?: unknown; error?: ErrorInfo | null },
): void {
  const transformer_id = handlerOf(checked).transformerId?.(checked.step) ?? null;
  const { input, startedAt } = sent;
  draft.recordAttempt({ status, input, startedAt, output, error, transformer_id });
}

/** No attempt may take longer than its job has left. */
function withinDeadline({ job, context }: PlanDraft, delivery: Delivery): Delivery {
  if (job.deadline_at === null) return delivery;
  const left = Math.max((Date.parse(job.deadline_at) - context.now) / 1000, 0.001);
  return left < delivery.timeoutSeconds ? { ...delivery, timeoutSeconds: left } : delivery;
}

function transformerOf({ context }: PlanDraft, checked: CheckedStep) {
  const id = handlerOf(checked).transformerId?.(checked.step);
  return id === undefined ? undefined : context.transformers.get(id);
}

/** @throws {EngineError} `definition_invalid` where the row names a step that the definition lacks. */
export function currentStep({ job, context }: PlanDraft): CheckedStep {
  const checked = context.definition.steps.get(job.current_step_id);
  if (checked === undefined) {
    throw new EngineError(
      "definition_invalid",
      `Cannot go on as version ${job.workflow_version} of workflow '${job.workflow_id}' has no step '${job.current_step_id}'`,
    );
  }
  return checked;
}
