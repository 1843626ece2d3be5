import { z } from "zod";
import { stepTargetSchema } from "./step_id.ts";

/** Keys that a step of any type may have. */
export const commonStepKeys = {
  title: z.string().max(200).optional(),
  description: z.string().max(10_000).optional(),
  /** JSONata; false: the step is skipped and its `next_step` follows. */
  when: z.string().min(1).max(100_000).optional(),
  /** `null` or absent: the job ends here. */
  next_step: stepTargetSchema.nullable().optional(),
};

/** What is known of a step whatever its type. */
export interface CommonStep {
  title?: string | undefined;
  description?: string | undefined;
  when?: string | undefined;
  next_step?: string | null | undefined;
}
