import { z } from "zod";
import { labelKeys } from "./step_common.ts";
import { stepTargetSchema } from "./step_id.ts";

/** A step that ends the job as failed. */
export const failStepSchema = z.strictObject({
  type: z.literal("fail"),
  ...labelKeys,
  /** A value: an error code of the engine's, or an own one with a prefix: `orders.too_late`. */
  code: z.unknown().optional(),
  /** A value. */
  message: z.unknown().optional(),
  /** Where the job goes on when `when` skips the step; `null` or absent: it ends here. */
  next_step: stepTargetSchema.nullable().optional(),
});
export type FailStep = z.infer<typeof failStepSchema>;
