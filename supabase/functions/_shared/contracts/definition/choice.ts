import { z } from "zod";
import { expressionSchema } from "./expression.ts";
import { onErrorSchema } from "./on_error.ts";
import { labelKeys } from "./step_common.ts";
import { stepTargetSchema } from "./step_id.ts";

/** A step that decides where to go on. */
export const choiceStepSchema = z.strictObject({
  type: z.literal("choice"),
  ...labelKeys,
  /** Tried in order; the first that is true wins. */
  choices: z.array(z.strictObject({ when: expressionSchema, next_step: stepTargetSchema }))
    .min(1).max(100),
  /** Where to go when none is true; absent: the error `no_choice_matched`. */
  default: stepTargetSchema.optional(),
  /** Where a choice that is skipped by its `when` goes on; `null` or absent: the job ends here. */
  next_step: stepTargetSchema.nullable().optional(),
  on_error: onErrorSchema.optional(),
});
export type ChoiceStep = z.infer<typeof choiceStepSchema>;
