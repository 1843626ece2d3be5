import { z } from "zod";
import { branchSchema } from "./branch.ts";
import { MAX_BRANCHES, MAX_STEP_TIMEOUT_SECONDS } from "./limits.ts";
import { commonStepKeys } from "./step_common.ts";
import { STEP_ID_PATTERN } from "./step_id.ts";

const branchNameSchema = z.string().regex(STEP_ID_PATTERN, {
  error: "must be a letter followed by at most 63 letters, digits, '_' or '-'",
});

/** A step that runs its branches side by side, each as a child job. */
export const parallelStepSchema = z.strictObject({
  type: z.literal("parallel"),
  ...commonStepKeys,
  branches: z.record(branchNameSchema, branchSchema).refine(
    (branches) => {
      const { length } = Object.keys(branches);
      return length >= 1 && length <= MAX_BRANCHES;
    },
    { error: `must have 1 to ${MAX_BRANCHES} branches` },
  ),
  timeout_seconds: z.number().positive().max(MAX_STEP_TIMEOUT_SECONDS).optional(),
});
export type ParallelStep = z.infer<typeof parallelStepSchema>;
