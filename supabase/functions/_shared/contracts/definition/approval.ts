import { z } from "zod";
import { approvalKeys } from "./approval_keys.ts";
import { commonStepKeys } from "./step_common.ts";
import { stepTargetSchema } from "./step_id.ts";

/** A step that waits for a person's decision. Its `title` is a value. */
export const approvalStepSchema = z.strictObject({
  type: z.literal("approval"),
  ...commonStepKeys,
  ...approvalKeys,
  /** Absent: a rejection is the error `rejected`. */
  on_reject: stepTargetSchema.optional(),
  /** Absent: running out of time is the error `approval_timeout`. */
  on_timeout: stepTargetSchema.optional(),
});
export type ApprovalStep = z.infer<typeof approvalStepSchema>;
