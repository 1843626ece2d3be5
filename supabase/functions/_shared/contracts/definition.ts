import { z } from "zod";
import { concurrencySchema, rateLimitSchema } from "./definition/admission.ts";
import { onErrorSchema } from "./definition/on_error.ts";
import { retryPolicySchema } from "./definition/retry.ts";
import { stepSchema } from "./definition/step.ts";
import { stepIdSchema, stepTargetSchema } from "./definition/step_id.ts";

export { matchesErrorPattern } from "./definition/error_pattern.ts";
export type { ErrorHandler, OnError } from "./definition/on_error.ts";
export { type RetryPolicyInput, retryPolicySchema } from "./definition/retry.ts";
export { type Step, STEP_TYPES, stepSchema, type StepType } from "./definition/step.ts";
export type { ApprovalStep } from "./definition/approval.ts";
export { type Branch, branchSchema } from "./definition/branch.ts";
export type { ChoiceStep } from "./definition/choice.ts";
export type { FailStep } from "./definition/fail.ts";
export { MAX_CHILD_DEPTH, MAX_CHILDREN, MAX_WAIT_SECONDS } from "./definition/limits.ts";
export { MAP_BODIES, type MapStep } from "./definition/map.ts";
export type { ParallelStep } from "./definition/parallel.ts";
export type { SucceedStep } from "./definition/succeed.ts";
export type { TransformStep } from "./definition/transform.ts";
export type { Validate } from "./definition/validate.ts";
export type { WaitStep } from "./definition/wait.ts";
export type { WaitForEventStep } from "./definition/wait_for_event.ts";
export type { WorkflowStep } from "./definition/workflow.ts";
export { RESERVED_STEP_IDS, STEP_ID_PATTERN, stepIdSchema } from "./definition/step_id.ts";
export { DEFAULT_TASK_TIMEOUT_SECONDS, type TaskStep } from "./definition/task.ts";

/** Bounds of a definition, each a clear error when passed. */
export const DEFINITION_LIMITS = {
  steps: 500,
  /** Bytes of the definition as compact JSON in UTF-8. */
  bytes: 1_048_576,
  /** Objects and arrays within each other. */
  depth: 100,
  /** Seconds that a whole job may take at most. */
  job_timeout_seconds: 366 * 86_400,
} as const;

/** How many steps a job may visit when its definition does not say. */
export const DEFAULT_MAX_STEP_VISITS = 1000;

/**
 * The structure of `workflows.definition`, with defaults filled in. That targets exist and that
 * paths and expressions parse is checked by `checkDefinition` of the engine.
 */
export const workflowDefinitionSchema = z.strictObject({
  title: z.string().max(200).optional(),
  description: z.string().max(10_000).optional(),
  start_step: stepTargetSchema,
  steps: z.record(stepIdSchema, stepSchema),
  /** A value; absent: the output of the last step. */
  output_map: z.unknown().optional(),
  /** JSON Schema 2020-12 of `input_data`. */
  input_schema: z.union([z.record(z.string(), z.unknown()), z.boolean()]).optional(),
  retry: retryPolicySchema.optional(),
  on_error: onErrorSchema.optional(),
  max_step_visits: z.int().min(1).max(1_000_000).default(DEFAULT_MAX_STEP_VISITS),
  /** How many jobs may run at a time. */
  concurrency: concurrencySchema.optional(),
  /** How many jobs may start within a time. */
  rate_limit: rateLimitSchema.optional(),
  /** For the whole job, in seconds. */
  timeout_seconds: z.number().positive().max(DEFINITION_LIMITS.job_timeout_seconds).optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
});
export type WorkflowDefinition = z.infer<typeof workflowDefinitionSchema>;
