import { z } from "zod";
import { commonStepKeys } from "./step_common.ts";

/** A step that computes its output in the orchestrator. */
export const transformStepSchema = z.strictObject({
  type: z.literal("transform"),
  ...commonStepKeys,
  /** A value. */
  output: z.unknown(),
}).refine((step) => Object.hasOwn(step, "output"), { path: ["output"], error: "is required" });
export type TransformStep = z.infer<typeof transformStepSchema>;
