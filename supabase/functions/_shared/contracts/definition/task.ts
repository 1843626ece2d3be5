import { z } from "zod";
import { retryPolicySchema } from "./retry.ts";
import { commonStepKeys } from "./step_common.ts";
import { validateSchema } from "./validate.ts";

/** How long one attempt of a task may take when its step does not say, in seconds. */
export const DEFAULT_TASK_TIMEOUT_SECONDS = 60;

/** The longest one attempt of a task may take, in seconds. */
export const MAX_TASK_TIMEOUT_SECONDS = 86_400;

/** A step that an executor does. */
export const taskStepSchema = z.strictObject({
  type: z.literal("task"),
  ...commonStepKeys,
  transformer_id: z.string().min(1).max(200),
  /** A value; absent: the output of the step that led here, or `job_input` at the start. */
  input_map: z.unknown().optional(),
  /** Merged over the transformer's own, key by key. */
  config: z.record(z.string(), z.unknown()).optional(),
  retry: retryPolicySchema.optional(),
  /** For one attempt, in seconds. */
  timeout_seconds: z.number().positive().max(MAX_TASK_TIMEOUT_SECONDS)
    .default(DEFAULT_TASK_TIMEOUT_SECONDS),
  validate: validateSchema.optional(),
  /** Whether the executor may accept the task and finish it later, by token. */
  callback: z.boolean().default(false),
});
export type TaskStep = z.infer<typeof taskStepSchema>;
