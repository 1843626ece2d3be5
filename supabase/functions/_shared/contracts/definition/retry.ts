import { z } from "zod";
import { errorPatternSchema } from "./error_pattern.ts";

const SECONDS_PER_DAY = 86_400;

/**
 * A retry policy as it is written on a step, a definition or a transformer: every field may be
 * absent, and is then looked up one level further out. Times are in seconds.
 */
export const retryPolicySchema = z.strictObject({
  max_retries: z.int().min(0).max(1000).optional(),
  strategy: z.enum(["exponential", "linear", "fixed"]).optional(),
  base_delay_seconds: z.number().min(0).max(SECONDS_PER_DAY).optional(),
  multiplier: z.number().min(1).max(100).optional(),
  max_delay_seconds: z.number().min(0).max(30 * SECONDS_PER_DAY).optional(),
  jitter: z.enum(["full", "none"]).optional(),
  retry_on: z.array(errorPatternSchema).max(100).optional(),
  never_retry_on: z.array(errorPatternSchema).max(100).optional(),
});
/** A retry policy as written: any field may be absent. */
export type RetryPolicyInput = z.infer<typeof retryPolicySchema>;
