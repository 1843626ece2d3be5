import { type ErrorCode, errorCodeSchema, errorInfo } from "../../contracts/errors.ts";
import { EngineError } from "../errors.ts";
import { evaluationContext } from "../job.ts";
import { show } from "../problem.ts";
import type { StepHandler } from "./handler.ts";

/** The code of a job that its definition fails without naming one. */
const DEFAULT_CODE = "workflow.failed";

/** Ends the job as failed. */
export const failHandler: StepHandler<"fail"> = {
  async begin(job, { id, code, message }) {
    const context = evaluationContext(job);
    const said = code === null ? DEFAULT_CODE : await code.evaluate(context);
    const read = errorCodeSchema.safeParse(said);
    if (!read.success) {
      throw new EngineError(
        "mapping_failed",
        `Cannot fail with 'steps.${id}.code' as it must be one of the engine's error codes, or an own one with a prefix: current value is ${
          show(said)
        }`,
      );
    }
    const text = message === null ? null : await message.evaluate(context);
    return {
      type: "fail",
      error: errorInfo(
        read.data as ErrorCode | `${string}.${string}`,
        printed(text) ?? `Step '${id}' ended the job`,
        { retryable: false },
      ),
    };
  },
};

const MAX_MESSAGE = 10_000;

function printed(value: unknown): string | null {
  if (value === null || value === undefined || value === "") return null;
  return (typeof value === "string" ? value : JSON.stringify(value)).slice(0, MAX_MESSAGE);
}
