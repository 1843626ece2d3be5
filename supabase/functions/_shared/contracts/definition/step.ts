import { z } from "zod";
import { approvalStepSchema } from "./approval.ts";
import { choiceStepSchema } from "./choice.ts";
import { failStepSchema } from "./fail.ts";
import { mapStepSchema } from "./map.ts";
import { parallelStepSchema } from "./parallel.ts";
import { succeedStepSchema } from "./succeed.ts";
import { taskStepSchema } from "./task.ts";
import { transformStepSchema } from "./transform.ts";
import { waitStepSchema } from "./wait.ts";
import { waitForEventStepSchema } from "./wait_for_event.ts";
import { workflowStepSchema } from "./workflow.ts";

/** The type of a step that does not name one. */
export const DEFAULT_STEP_TYPE = "task";

/** Every step type. A new one is a file beside `task.ts` and a line here. */
export const STEP_SCHEMAS = [
  taskStepSchema,
  choiceStepSchema,
  waitStepSchema,
  parallelStepSchema,
  mapStepSchema,
  workflowStepSchema,
  waitForEventStepSchema,
  approvalStepSchema,
  transformStepSchema,
  succeedStepSchema,
  failStepSchema,
] as const;

/** The names of all step types. */
export const STEP_TYPES: readonly string[] = STEP_SCHEMAS.flatMap((schema) => [
  ...schema.shape.type.values,
]);

/** Any step; one without a `type` is a task. */
export const stepSchema = z.preprocess(
  (raw) =>
    typeof raw === "object" && raw !== null && !Array.isArray(raw) && !Object.hasOwn(raw, "type")
      ? { ...raw, type: DEFAULT_STEP_TYPE }
      : raw,
  z.discriminatedUnion("type", STEP_SCHEMAS),
);
export type Step = z.infer<typeof stepSchema>;
export type StepType = Step["type"];
