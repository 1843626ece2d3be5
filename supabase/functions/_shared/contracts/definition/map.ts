import { z } from "zod";
import { branchSchema } from "./branch.ts";
import { DEFAULT_MAX_CONCURRENCY, MAX_CHILDREN, MAX_STEP_TIMEOUT_SECONDS } from "./limits.ts";
import { retryPolicySchema } from "./retry.ts";
import { commonStepKeys } from "./step_common.ts";
import { MAX_TASK_TIMEOUT_SECONDS } from "./task.ts";
import { workflowIdSchema } from "./workflow.ts";

/** A count of children, or a share of them. */
const toleratedSchema = z.union([
  z.int().min(0).max(MAX_CHILDREN),
  z.string().regex(/^(100|\d{1,2})%$/, { error: 'must be a count, or a share such as "10%"' }),
]);

/** The keys of which a map has exactly one: what is done with each item. */
export const MAP_BODIES = ["transformer_id", "branch", "workflow_id"] as const;

/** A step that does the same with each item of a list, each as a child job. */
export const mapStepSchema = z.strictObject({
  type: z.literal("map"),
  ...commonStepKeys,
  /** A value that gives an array. */
  items: z.unknown(),
  transformer_id: z.string().min(1).max(200).optional(),
  branch: branchSchema.optional(),
  workflow_id: workflowIdSchema.optional(),
  version: z.int().positive().optional(),
  /** A value, which sees `item` and `index`; absent: the item. */
  input_map: z.unknown().optional(),
  /** With `transformer_id`: as of a task. */
  config: z.record(z.string(), z.unknown()).optional(),
  /** With `transformer_id`: as of a task. */
  retry: retryPolicySchema.optional(),
  /** With `transformer_id`: for one attempt of one item, in seconds. */
  item_timeout_seconds: z.number().positive().max(MAX_TASK_TIMEOUT_SECONDS).optional(),
  /** How many items at a time; 0 is no limit, 1 a sequential loop. */
  max_concurrency: z.int().min(0).max(MAX_CHILDREN).default(DEFAULT_MAX_CONCURRENCY),
  /** How many items may fail without failing the step. */
  tolerated_failures: toleratedSchema.default(0),
  /** For all items together, in seconds. */
  timeout_seconds: z.number().positive().max(MAX_STEP_TIMEOUT_SECONDS).optional(),
})
  .refine((step) => MAP_BODIES.filter((key) => step[key] !== undefined).length === 1, {
    error: "must have exactly one of 'transformer_id', 'branch' and 'workflow_id'",
  });
export type MapStep = z.infer<typeof mapStepSchema>;
