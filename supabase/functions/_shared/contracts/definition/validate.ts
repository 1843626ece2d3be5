import { z } from "zod";
import { approvalKeys } from "./approval_keys.ts";
import { expressionSchema } from "./expression.ts";
import { stepTargetSchema } from "./step_id.ts";

const routes = {
  next_step_on_pass: stepTargetSchema.optional(),
  /** Absent: failing is the error `validation_failed`, which retries like any other. */
  next_step_on_fail: stepTargetSchema.optional(),
};

/** How a task's output is checked. Values and expressions see it as the step's `output`. */
export const validateSchema = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("regex"),
    ...routes,
    /** RE2 syntax, searched for anywhere in the text. */
    pattern: z.string().min(1).max(10_000),
    /** A value that must be a text; absent: the output itself. */
    value: z.unknown().optional(),
  }),
  z.strictObject({
    type: z.literal("json_schema"),
    ...routes,
    /** JSON Schema 2020-12 of the output. */
    schema: z.union([z.record(z.string(), z.unknown()), z.boolean()]),
  }),
  z.strictObject({
    type: z.literal("expression"),
    ...routes,
    /** JSONata; true passes. */
    expression: expressionSchema,
  }),
  z.strictObject({
    type: z.literal("function"),
    ...routes,
    /** Whose executor answers `{ pass: boolean, notes? }`. */
    transformer_id: z.string().min(1).max(200),
    /** A value; absent: the output itself. */
    input_map: z.unknown().optional(),
  }),
  z.strictObject({ type: z.literal("manual"), ...routes, ...approvalKeys }),
]);
export type Validate = z.infer<typeof validateSchema>;
