import { z } from "zod";
import { taskStepSchema } from "./task.ts";

/** The type of a step that does not name one. */
export const DEFAULT_STEP_TYPE = "task";

/** Every step type. A new one is a file beside `task.ts` and a line here. */
const stepSchemas = [taskStepSchema] as const;

/** The names of all step types. */
export const STEP_TYPES: readonly string[] = stepSchemas.flatMap((schema) => [
  ...schema.shape.type.values,
]);

/** Any step; one without a `type` is a task. */
export const stepSchema = z.preprocess(
  (raw) =>
    typeof raw === "object" && raw !== null && !Array.isArray(raw) && !Object.hasOwn(raw, "type")
      ? { ...raw, type: DEFAULT_STEP_TYPE }
      : raw,
  z.discriminatedUnion("type", stepSchemas),
);
export type Step = z.infer<typeof stepSchema>;
export type StepType = Step["type"];
