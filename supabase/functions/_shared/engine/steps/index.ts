import type { StepType } from "../../contracts/definition.ts";
import type { CheckedStep } from "../definition/check.ts";
import { approvalHandler } from "./approval.ts";
import { choiceHandler } from "./choice.ts";
import { failHandler } from "./fail.ts";
import type { StepHandler } from "./handler.ts";
import { mapHandler } from "./map.ts";
import { parallelHandler } from "./parallel.ts";
import { succeedHandler } from "./succeed.ts";
import { taskHandler } from "./task.ts";
import { transformHandler } from "./transform.ts";
import { waitHandler } from "./wait.ts";
import { waitForEventHandler } from "./wait_for_event.ts";
import { workflowHandler } from "./workflow.ts";

const HANDLERS: { readonly [T in StepType]: StepHandler<T> } = {
  task: taskHandler,
  choice: choiceHandler,
  wait: waitHandler,
  parallel: parallelHandler,
  map: mapHandler,
  workflow: workflowHandler,
  wait_for_event: waitForEventHandler,
  approval: approvalHandler,
  transform: transformHandler,
  succeed: succeedHandler,
  fail: failHandler,
};

/** What steps of this step's type do. */
export function handlerOf(checked: CheckedStep): StepHandler {
  // The entry of a type takes the steps of that type, which is more than the compiler can follow.
  return HANDLERS[checked.step.type] as StepHandler;
}
