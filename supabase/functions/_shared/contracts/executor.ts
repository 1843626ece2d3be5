import { z } from "zod";
import { errorCodeSchema } from "./errors.ts";

/** One unit of work for an executor: one attempt of one step of one job. */
export const taskSchema = z.object({
  /** Unique per delivery. */
  task_id: z.string().min(1).max(200),
  /** The same on every redelivery of the same attempt. */
  idempotency_key: z.string().min(1).max(300),
  job_id: z.guid(),
  /** The job's owner; absent for a job without one. What an executor may fetch depends on it. */
  user_id: z.guid().optional(),
  workflow_id: z.string(),
  step_id: z.string(),
  attempt: z.int().positive(),
  /** RFC 3339; after it nobody waits for the result. */
  deadline: z.string(),
  transformer_id: z.string(),
  /** `transformers.type`: what kind of work this is. */
  type: z.string(),
  /** `transformers.config` with the step's `config` merged over it. */
  config: z.record(z.string(), z.unknown()),
  input: z.unknown(),
  /** With `callback: true`: what finishes the step later. */
  token: z.string().optional(),
  /** W3C trace id, 32 hexadecimal digits. */
  trace_id: z.string().optional(),
});
export type Task = z.infer<typeof taskSchema>;

/** The body of the orchestrator's POST to an executor. */
export const taskBatchSchema = z.object({ tasks: z.array(taskSchema).min(1).max(1000) });
export type TaskBatch = z.infer<typeof taskBatchSchema>;

/** An error as an executor may report it: `retryable` is optional there. */
export const reportedErrorSchema = z.object({
  code: errorCodeSchema,
  message: z.string().max(10_000),
  retryable: z.boolean().optional(),
  retry_after_seconds: z.number().nonnegative().max(86_400 * 30).optional(),
  details: z.unknown().optional(),
});
export type ReportedError = z.infer<typeof reportedErrorSchema>;

/** One line of an executor's NDJSON answer. */
export const taskResultSchema = z.discriminatedUnion("status", [
  z.object({ task_id: z.string(), status: z.literal("completed"), output: z.unknown().optional() }),
  z.object({ task_id: z.string(), status: z.literal("failed"), error: reportedErrorSchema }),
  z.object({ task_id: z.string(), status: z.literal("accepted") }),
]);
export type TaskResult = z.infer<typeof taskResultSchema>;
