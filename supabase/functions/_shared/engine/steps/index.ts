import type { StepType } from "../../contracts/definition.ts";
import type { CheckedStep } from "../definition/check.ts";
import type { StepHandler } from "./handler.ts";
import { taskHandler } from "./task.ts";

const HANDLERS: { readonly [T in StepType]: StepHandler<T> } = {
  task: taskHandler,
};

/** What steps of this step's type do. */
export function handlerOf(checked: CheckedStep): StepHandler {
  return HANDLERS[checked.step.type];
}
