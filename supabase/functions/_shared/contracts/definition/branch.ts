import { z } from "zod";
import { stepTargetSchema } from "./step_id.ts";

/**
 * Steps of their own that a child job runs within the definition of its parent. What the steps hold
 * is parsed by the check of the whole definition, step by step.
 */
export const branchSchema = z.strictObject({
  start_step: stepTargetSchema,
  steps: z.record(z.string(), z.unknown()),
  /** A value; absent: the output of the last step. */
  output_map: z.unknown().optional(),
});
/** A branch as it is written. */
export type Branch = z.infer<typeof branchSchema>;
