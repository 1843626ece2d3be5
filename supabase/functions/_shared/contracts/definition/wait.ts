import { z } from "zod";
import { commonStepKeys } from "./step_common.ts";

/** A timer. */
export const waitStepSchema = z.strictObject({
  type: z.literal("wait"),
  ...commonStepKeys,
  /** A value: how long, in seconds. */
  seconds: z.unknown().optional(),
  /** A value: until when, RFC 3339. */
  until: z.unknown().optional(),
}).refine((step) => Object.hasOwn(step, "seconds") !== Object.hasOwn(step, "until"), {
  error: "must have one of 'seconds' and 'until'",
});
export type WaitStep = z.infer<typeof waitStepSchema>;
