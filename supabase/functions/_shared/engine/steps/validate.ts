import { z } from "zod";
import { type ErrorInfo, errorInfo } from "../../contracts/errors.ts";
import type { CheckedValidate } from "../definition/validate.ts";
import { EngineError } from "../errors.ts";
import { evaluationContext, type Job } from "../job.ts";
import { show } from "../problem.ts";
import type { Settlement } from "./handler.ts";
import { cutText } from "../text.ts";

/** What came of a check of an output. */
export interface Verdict {
  readonly pass: boolean;
  readonly notes: unknown;
}

/** The types of `validate` that need nobody but the engine. */
type OwnCheck = Extract<CheckedValidate, { type: "regex" | "json_schema" | "expression" }>;

/** Whether somebody else judges the output: another executor, or a person. */
export function isJudgedElsewhere(
  validate: CheckedValidate,
): validate is Exclude<CheckedValidate, OwnCheck> {
  return validate.type === "function" || validate.type === "manual";
}

/**
 * Judges an output.
 *
 * @throws {EngineError} `expression_failed`, `mapping_failed`
 */
export async function judge(job: Job, validate: OwnCheck, output: unknown): Promise<Verdict> {
  switch (validate.type) {
    case "regex": {
      const text = validate.value === null
        ? output
        : await validate.value.evaluate(evaluationContext(job, { output }));
      if (typeof text !== "string") {
        return failing(`must be a text: current value is ${show(text)}`);
      }
      return validate.test(text)
        ? PASSING
        : failing(`must match ${validate.rule.pattern}: current value is ${show(text)}`);
    }
    case "json_schema": {
      const problems = validate.problems(output);
      return problems.length === 0 ? PASSING : {
        pass: false,
        notes: problems.map(({ path, message }) => `${path} ${message}`).join("; "),
      };
    }
    case "expression":
      return await validate.expression.test(evaluationContext(job, { output }))
        ? PASSING
        : failing(`must make ${show(validate.rule.expression)} true`);
  }
}

const PASSING: Verdict = { pass: true, notes: null };

function failing(notes: string): Verdict {
  return { pass: false, notes };
}

const verdictSchema = z.object({ pass: z.boolean(), notes: z.unknown().optional() });

/**
 * What the executor of a check has answered.
 *
 * @throws {EngineError} `invalid_result`
 */
export function readVerdict(answer: unknown, transformerId: string): Verdict {
  const read = verdictSchema.safeParse(answer);
  if (read.success) return { pass: read.data.pass, notes: read.data.notes ?? null };
  throw new EngineError(
    "invalid_result",
    `Transformer '${transformerId}' must answer a check with { pass: true or false, notes }: current value is ${
      show(answer)
    }`,
  );
}

/** What a verdict means for the step. */
export function settleVerdict(
  stepId: string,
  { rule }: CheckedValidate,
  output: unknown,
  verdict: Verdict,
): Settlement {
  return verdict.pass
    ? { type: "completed", output, next: rule.next_step_on_pass }
    : { type: "failed", error: unfit(stepId, verdict), output, next: rule.next_step_on_fail };
}

function unfit(stepId: string, { notes }: Verdict): ErrorInfo {
  const why = notes === null || notes === undefined
    ? ""
    : `: ${typeof notes === "string" ? notes : JSON.stringify(notes)}`;
  return errorInfo(
    "validation_failed",
    cutText(`The output of step '${stepId}' does not pass its check${why}`, 2_000),
    { details: { notes } },
  );
}
