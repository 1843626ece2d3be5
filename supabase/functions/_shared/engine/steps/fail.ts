import { type ErrorCode, errorInfo } from "../../contracts/errors.ts";
import { errorCodeRule } from "../definition/value_rules.ts";
import { evaluationContext } from "../job.ts";
import { ruledValue } from "../ruled_value.ts";
import type { StepHandler } from "./handler.ts";
import { cutText } from "../text.ts";

/** The code of a job that its definition fails without naming one. */
const DEFAULT_CODE = "workflow.failed";

/** Ends the job as failed. */
export const failHandler: StepHandler<"fail"> = {
  async begin(job, { id, code, message }) {
    const context = evaluationContext(job);
    const said = code === null
      ? DEFAULT_CODE
      : await ruledValue(code, context, errorCodeRule, `steps.${id}.code`);
    const text = message === null ? null : await message.evaluate(context);
    return {
      type: "fail",
      error: errorInfo(
        said as ErrorCode | `${string}.${string}`,
        printed(text) ?? `Step '${id}' ended the job`,
        { retryable: false },
      ),
    };
  },
};

const MAX_MESSAGE = 10_000;

function printed(value: unknown): string | null {
  if (value === null || value === undefined || value === "") return null;
  return cutText(typeof value === "string" ? value : JSON.stringify(value), MAX_MESSAGE);
}
