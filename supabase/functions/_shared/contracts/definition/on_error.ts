import { z } from "zod";
import { errorPatternSchema } from "./error_pattern.ts";
import { stepTargetSchema } from "./step_id.ts";

/** One entry of a list of error handlers: which errors, and the step that takes over. */
export const errorHandlerSchema = z.strictObject({
  errors: z.array(errorPatternSchema).min(1).max(100),
  next_step: stepTargetSchema,
});
export type ErrorHandler = z.infer<typeof errorHandlerSchema>;

/** Where an error goes once retries are used up: one step for all, or a list tried in order. */
export const onErrorSchema = z.union([
  stepTargetSchema,
  z.array(errorHandlerSchema).min(1).max(100),
]);
export type OnError = z.infer<typeof onErrorSchema>;
