import { z } from "zod";

/** What a step may be called. */
export const STEP_ID_PATTERN = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;

/** Names that the job document uses itself. */
export const RESERVED_STEP_IDS: ReadonlySet<string> = new Set([
  "job_input",
  "job",
  "item",
  "index",
]);

/** The name of a step, as a key of `steps`. */
export const stepIdSchema = z.string()
  .regex(STEP_ID_PATTERN, {
    error: "must be a letter followed by at most 63 letters, digits, '_' or '-'",
  })
  .refine((id) => !RESERVED_STEP_IDS.has(id), {
    error: "must not be job_input, job, item or index, which the job document uses itself",
  });

/** A reference to a step; that it exists is checked on the whole definition. */
export const stepTargetSchema = z.string().min(1).max(64);
