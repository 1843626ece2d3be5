import { z } from "zod";
import { expressionSchema } from "./expression.ts";
import { MAX_STEP_TIMEOUT_SECONDS } from "./limits.ts";
import { commonStepKeys } from "./step_common.ts";
import { stepTargetSchema } from "./step_id.ts";

/** A step that waits until an event of some name is emitted. */
export const waitForEventStepSchema = z.strictObject({
  type: z.literal("wait_for_event"),
  ...commonStepKeys,
  /** A value: the name of the event. */
  event: z.unknown(),
  /** A value that gives a text: only events with this key; absent: events with any key or none. */
  key: z.unknown().optional(),
  /** JSONata over the job document with the event's payload as `event`. */
  match: expressionSchema.optional(),
  timeout_seconds: z.number().positive().max(MAX_STEP_TIMEOUT_SECONDS).optional(),
  /** Absent: running out of time is the error `event_timeout`. */
  on_timeout: stepTargetSchema.optional(),
});
export type WaitForEventStep = z.infer<typeof waitForEventStepSchema>;
