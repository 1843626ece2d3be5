import { z } from "zod";
import { MAX_STEP_TIMEOUT_SECONDS } from "./limits.ts";
import { commonStepKeys } from "./step_common.ts";

/** The id of another workflow. */
export const workflowIdSchema = z.string().min(1).max(128);

/** A step that another workflow does, as a child job. */
export const workflowStepSchema = z.strictObject({
  type: z.literal("workflow"),
  ...commonStepKeys,
  workflow_id: workflowIdSchema,
  /** Absent: the version that is current when the step is reached. */
  version: z.int().positive().optional(),
  /** A value; absent: the output of the step that led here, or `job_input` at the start. */
  input_map: z.unknown().optional(),
  /** Whether the job goes on without waiting; the output is then `{ job_id }`. */
  detached: z.boolean().default(false),
  timeout_seconds: z.number().positive().max(MAX_STEP_TIMEOUT_SECONDS).optional(),
});
export type WorkflowStep = z.infer<typeof workflowStepSchema>;
