import { z } from "zod";
import { labelKeys } from "./step_common.ts";
import { stepTargetSchema } from "./step_id.ts";

/** A step that ends the job as completed. */
export const succeedStepSchema = z.strictObject({
  type: z.literal("succeed"),
  ...labelKeys,
  /** A value; absent: the job's result is made as after any last step. */
  output: z.unknown().optional(),
  /** Where the job goes on when `when` skips the step; `null` or absent: it ends here. */
  next_step: stepTargetSchema.nullable().optional(),
});
export type SucceedStep = z.infer<typeof succeedStepSchema>;
