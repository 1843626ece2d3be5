import { z } from "zod";

/** How many jobs of a workflow may run at a time, from their first step to their end. */
export const concurrencySchema = z.strictObject({
  max_running: z.int().min(1).max(100_000),
  /** A value that gives a text or a number: the limit then holds for each key by itself. */
  key: z.unknown().optional(),
});
export type Concurrency = z.infer<typeof concurrencySchema>;

/** How many jobs of a workflow may start within any stretch of time. */
export const rateLimitSchema = z.strictObject({
  max_starts: z.int().min(1).max(10_000),
  per_seconds: z.number().min(1).max(31 * 86_400),
});
export type RateLimit = z.infer<typeof rateLimitSchema>;
