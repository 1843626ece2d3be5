import { z } from "zod";
import { expressionSchema } from "./expression.ts";
import { onErrorSchema } from "./on_error.ts";
import { stepTargetSchema } from "./step_id.ts";

/** Keys that a step of any type may have. */
export const labelKeys = {
  title: z.string().max(200).optional(),
  description: z.string().max(10_000).optional(),
  /** JSONata; false: the step is skipped and its `next_step` follows. */
  when: expressionSchema.optional(),
};

/** Keys of a step after which the job goes on. */
export const commonStepKeys = {
  ...labelKeys,
  /** `null` or absent: the job ends here. */
  next_step: stepTargetSchema.nullable().optional(),
  on_error: onErrorSchema.optional(),
};
