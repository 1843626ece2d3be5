import { z } from "zod";
import { stepIdSchema } from "./definition/step_id.ts";

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

/** Most entries on one page of a list. */
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

/** A workflow's id, as the database takes it. */
export const workflowIdSchema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/, {
  error: "must be 1 to 128 letters, digits, '_', '.' or '-', the first a letter or digit",
});

const time = z.iso.datetime({ offset: true });

/** The body of `POST /start-workflow`. */
export const startRequestSchema = z.strictObject({
  workflow_id: text(200),
  input_data: jsonObject.optional(),
  /** The same key again is the same job. */
  idempotency_key: text(200).optional(),
  /** 0 to 9, higher runs first; 5 by default. */
  priority: z.int().min(0).max(9).optional(),
  /** RFC 3339 with its offset: not to be started before. */
  run_at: time.optional(),
  metadata: metadata.optional(),
});
export type StartRequest = z.infer<typeof startRequestSchema>;

const reason = text(1_000).optional();

/** The body of `POST /jobs/{id}/cancel`, which may be left out. */
export const cancelRequestSchema = z.strictObject({ reason });
export type CancelRequest = z.infer<typeof cancelRequestSchema>;

/** The body of `POST /jobs/{id}/pause`, which may be left out. */
export const pauseRequestSchema = z.strictObject({ reason });
export type PauseRequest = z.infer<typeof pauseRequestSchema>;

/** The body of `POST /jobs/{id}/resume`, which may be left out: it says nothing. */
export const resumeRequestSchema = z.strictObject({});
export type ResumeRequest = z.infer<typeof resumeRequestSchema>;

/** The body of `POST /jobs/{id}/retry`, which may be left out. */
export const retryRequestSchema = z.strictObject({
  /** Absent: the step that the job ended at. */
  from_step: stepIdSchema.optional(),
  /** In place of what the job was started with. */
  input_data: jsonObject.optional(),
  /** Of a map: only the items that failed, which is the default; else all of them. */
  failed_items_only: z.boolean().optional(),
});
export type RetryRequest = z.infer<typeof retryRequestSchema>;

const eventName = text(200);

/** What an event brings: no bare text or number, which has to be told apart from JSON in a text. */
const eventPayload = z.custom<Record<string, unknown> | unknown[]>(
  (value) => typeof value === "object" && value !== null,
  { error: "must be an object or an array" },
);

/** The body of `POST /jobs/{id}/signal`. */
export const signalRequestSchema = z.strictObject({
  name: eventName,
  /** An empty object when absent. */
  payload: eventPayload.optional(),
});
export type SignalRequest = z.infer<typeof signalRequestSchema>;

/** The body of `POST /events`. */
export const eventRequestSchema = z.strictObject({
  name: eventName,
  /** An empty object when absent. */
  payload: eventPayload.optional(),
  /** Reaches only those who wait for this key, or for any. */
  key: text(200).optional(),
});
export type EventRequest = z.infer<typeof eventRequestSchema>;

/** What can be done to many jobs at once. */
export const BULK_ACTIONS = ["cancel", "pause", "resume", "retry"] as const;

/** Most jobs of one call of `POST /jobs/bulk`. */
export const MAX_BULK = 1_000;

/** The body of `POST /jobs/bulk`; an empty filter means all jobs, and has to be said. */
export const bulkRequestSchema = z.strictObject({
  action: z.enum(BULK_ACTIONS),
  filter: z.strictObject({
    /** One of these, or just one. */
    status: z.preprocess(
      (value) => typeof value === "string" ? [value] : value,
      z.array(z.enum(JOB_STATUSES)).min(1),
    ).optional(),
    workflow_id: text(200).optional(),
    /** RFC 3339 with its offset. */
    created_after: time.optional(),
    created_before: time.optional(),
    error_code: text(200).optional(),
    /** Jobs whose metadata hold all of this. */
    metadata: metadata.optional(),
  }),
  limit: z.int().min(1).max(MAX_BULK).default(100),
  reason,
  /** Only tells what would be done. */
  dry_run: z.boolean().default(false),
});
export type BulkRequest = z.infer<typeof bulkRequestSchema>;

/** The body of `POST /approvals/{id}/decision`. */
export const decisionRequestSchema = z.strictObject({
  decision: z.enum(["approve", "reject"]),
  notes: text(10_000).optional(),
  form: jsonObject.optional(),
});
export type DecisionRequest = z.infer<typeof decisionRequestSchema>;

const workflowParts = {
  description: text(2_000).nullable().optional(),
  /** Checked by the engine, which tells every fault. */
  definition: jsonObject,
};

/** The body of `POST /workflows`. */
export const workflowRequestSchema = z.strictObject({ id: workflowIdSchema, ...workflowParts });
export type WorkflowRequest = z.infer<typeof workflowRequestSchema>;

/** The path of `PUT /workflows/{id}`. */
export const workflowPathSchema = z.strictObject({ id: workflowIdSchema });

/** The body of `PUT /workflows/{id}`. */
export const workflowPutSchema = z.strictObject(workflowParts);
export type WorkflowPut = z.infer<typeof workflowPutSchema>;

/** What every paged list takes; the cursor is opaque here. */
const page = {
  limit: z.string().regex(/^\d{1,3}$/, { error: `must be a whole number from 1 to ${MAX_PAGE}` })
    .transform(Number)
    .refine((limit) => limit >= 1 && limit <= MAX_PAGE, {
      error: `must be a whole number from 1 to ${MAX_PAGE}`,
    })
    .default(20),
  cursor: text(400).optional(),
};

const status = z.enum(JOB_STATUSES).optional();

/** The query of `GET /list-jobs`. */
export const listRequestSchema = z.strictObject({
  status,
  workflow_id: text(200).optional(),
  include_children: z.enum(["true", "false"]).default("false").transform((is) => is === "true"),
  ...page,
});
export type ListRequest = z.infer<typeof listRequestSchema>;

/** The query of `GET /jobs/{id}/children`. */
export const childrenRequestSchema = z.strictObject({ status, ...page });
export type ChildrenRequest = z.infer<typeof childrenRequestSchema>;

/** The query of `GET /jobs/{id}/steps` and `GET /jobs/{id}/events`. */
export const recordsRequestSchema = z.strictObject(page);
export type RecordsRequest = z.infer<typeof recordsRequestSchema>;

/** Every status of an approval. */
export const APPROVAL_STATUSES = [
  "open",
  "approved",
  "rejected",
  "expired",
  "cancelled",
] as const;

/** The query of `GET /approvals`. */
export const approvalsRequestSchema = z.strictObject({
  status: z.enum(APPROVAL_STATUSES).default("open"),
  ...page,
});
export type ApprovalsRequest = z.infer<typeof approvalsRequestSchema>;

/** A job's or an approval's id as it stands in a path. */
export const uuidSchema = z.string()
  .regex(/^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/)
  .transform((id) => id.toLowerCase());
