import { errorInfo } from "../../contracts/errors.ts";
import { DEFAULT_TASK_TIMEOUT_SECONDS } from "../../contracts/definition.ts";
import type { PlanContext } from "../decision.ts";
import type { CheckedStepOf } from "../definition/checked.ts";
import { EngineError } from "../errors.ts";
import { currentAttempt, evaluationContext, flowingInto, type Job } from "../job.ts";
import { approvalTimeout, formFault, question, readDecision } from "./approval.ts";
import { checkStorable } from "../storable.ts";
import type { StepHandler, StepOutcome } from "./handler.ts";
import { settleVerdict } from "./validate.ts";

/** Executors read no more than this in one call. */
const MAX_INPUT_BYTES = 8 * 1_048_576;

/** Work for an executor, whose output may be judged by another one or by a person. */
export const taskHandler: StepHandler<"task"> = {
  async begin(job, checked, context) {
    const { checking } = job.state;
    if (checking !== undefined) return await beginCheck(job, checked, context, checking.output);
    const { step } = checked;
    const transformer = transformerOf(context, checked.id, step.transformer_id);
    const input = checked.input === null
      ? flowingInto(job)
      : await checked.input.evaluate(evaluationContext(job));
    // Only what an expression computes can be what was not stored before.
    if (checked.input?.async) checkStorable(input, MAX_INPUT_BYTES, `The input of '${checked.id}'`);
    return {
      type: "dispatch",
      delivery: {
        attempt: currentAttempt(job),
        transformer,
        config: { ...transformer.config, ...step.config },
        input,
        timeoutSeconds: step.timeout_seconds,
        callback: step.callback,
        redeliveries: job.redeliveries,
      },
    };
  },

  expire(job, { id, validate }) {
    if (job.state.waiting?.kind === "approval") {
      const seconds = validate?.type === "manual" ? validate.ask.timeoutSeconds : null;
      return { type: "failed", error: approvalTimeout(id, seconds) };
    }
    const error = errorInfo("timeout", `No callback came for step '${id}' in time`);
    return { type: "failed", error };
  },

  receive(job, { id, validate }, message) {
    const { checking } = job.state;
    if (validate?.type !== "manual" || checking === undefined) return Promise.resolve(null);
    const decision = readDecision(message);
    const fault = formFault(id, validate.ask, decision);
    const { notes, form } = decision;
    const verdict = {
      pass: decision.decision === "approved",
      notes: form === null ? notes : { notes, form },
    };
    return Promise.resolve(fault ?? settleVerdict(id, validate, checking.output, verdict));
  },

  transformerId: (step) => step.transformer_id,
};

/** Has the output of the current attempt judged by somebody else. */
async function beginCheck(
  job: Job,
  checked: CheckedStepOf<"task">,
  context: PlanContext,
  output: unknown,
): Promise<StepOutcome> {
  const { validate, id } = checked;
  if (validate?.type === "manual") {
    const asked = await question(job, `steps.${id}.validate`, validate.ask, context.now, {
      output,
    });
    const details = asked.question?.details ?? { output };
    return asked.question === undefined
      ? asked
      : { ...asked, question: { ...asked.question, details } };
  }
  if (validate?.type !== "function") {
    throw new EngineError("definition_invalid", `Step '${id}' has nobody to check its output`);
  }
  const transformer = transformerOf(context, id, validate.rule.transformer_id);
  return {
    type: "dispatch",
    delivery: {
      attempt: currentAttempt(job),
      transformer,
      config: transformer.config,
      input: validate.input === null
        ? output
        : await validate.input.evaluate(evaluationContext(job, { output })),
      timeoutSeconds: DEFAULT_TASK_TIMEOUT_SECONDS,
      callback: false,
      redeliveries: job.redeliveries,
    },
  };
}

function transformerOf({ transformers }: PlanContext, stepId: string, id: string) {
  const transformer = transformers.get(id);
  if (transformer !== undefined) return transformer;
  throw new EngineError(
    "transformer_not_found",
    `Cannot run step '${stepId}' as there is no transformer '${id}'`,
  );
}
