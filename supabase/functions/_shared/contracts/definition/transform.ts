import { z } from "zod";
import { commonStepKeys } from "./step_common.ts";

/** A step that computes its output in the orchestrator. */
export const transformStepSchema = z.strictObject({
  type: z.literal("transform"),
  ...commonStepKeys,
  /** A value. */
  output: z.unknown(),
});
export type TransformStep = z.infer<typeof transformStepSchema>;
