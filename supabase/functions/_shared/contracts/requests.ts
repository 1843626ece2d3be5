import { z } from "zod";

/** Every status of a job. */
export const JOB_STATUSES = [
  "pending",
  "running",
  "awaiting_retry",
  "waiting",
  "paused",
  "completed",
  "failed",
  "cancelled",
] as const;

/** Most jobs on one page of a list. */
export const MAX_PAGE = 100;

/**
 * Any JSON object, handed on as it is: a schema that copied it would lose a key named `__proto__`,
 * and time.
 */
const jsonObject = z.custom<Record<string, unknown>>(
  (value) => typeof value === "object" && value !== null && !Array.isArray(value),
  { error: "must be an object" },
);

const MAX_METADATA_CHARACTERS = 16_384;
const metadata = jsonObject.refine(
  (value) => JSON.stringify(value).length <= MAX_METADATA_CHARACTERS,
  { error: `must be <= ${MAX_METADATA_CHARACTERS} characters of JSON` },
);

const text = (max: number) => z.string().min(1).max(max);

/** The body of `POST /start-workflow`. */
export const startRequestSchema = z.strictObject({
  workflow_id: text(200),
  input_data: jsonObject.optional(),
  /** The same key again is the same job. */
  idempotency_key: text(200).optional(),
  /** 0 to 9, higher runs first; 5 by default. */
  priority: z.int().min(0).max(9).optional(),
  /** RFC 3339 with its offset: not to be started before. */
  run_at: z.iso.datetime({ offset: true }).optional(),
  metadata: metadata.optional(),
});
export type StartRequest = z.infer<typeof startRequestSchema>;

/** The body of `POST /jobs/{id}/cancel`, which may be left out. */
export const cancelRequestSchema = z.strictObject({ reason: text(1_000).optional() });
export type CancelRequest = z.infer<typeof cancelRequestSchema>;

/** The query of `GET /list-jobs`; the cursor is opaque here. */
export const listRequestSchema = z.strictObject({
  status: z.enum(JOB_STATUSES).optional(),
  workflow_id: text(200).optional(),
  limit: z.string().regex(/^\d{1,3}$/, { error: `must be a whole number from 1 to ${MAX_PAGE}` })
    .transform(Number)
    .refine((limit) => limit >= 1 && limit <= MAX_PAGE, {
      error: `must be a whole number from 1 to ${MAX_PAGE}`,
    })
    .default(20),
  cursor: text(400).optional(),
});
export type ListRequest = z.infer<typeof listRequestSchema>;

/** A job's id as it stands in a path. */
export const jobIdSchema = z.string()
  .regex(/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/)
  .transform((id) => id.toLowerCase());
