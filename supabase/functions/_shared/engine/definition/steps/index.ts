import type { Step, StepType } from "../../../contracts/definition.ts";
import { approvalCheck } from "./approval.ts";
import { choiceCheck } from "./choice.ts";
import { failCheck } from "./fail.ts";
import { mapCheck } from "./map.ts";
import { parallelCheck } from "./parallel.ts";
import type { StepCheck } from "./step_check.ts";
import { succeedCheck } from "./succeed.ts";
import { taskCheck } from "./task.ts";
import { transformCheck } from "./transform.ts";
import { waitCheck } from "./wait.ts";
import { waitForEventCheck } from "./wait_for_event.ts";
import { workflowCheck } from "./workflow.ts";

const CHECKS = {
  task: taskCheck,
  choice: choiceCheck,
  wait: waitCheck,
  parallel: parallelCheck,
  map: mapCheck,
  workflow: workflowCheck,
  wait_for_event: waitForEventCheck,
  approval: approvalCheck,
  transform: transformCheck,
  succeed: succeedCheck,
  fail: failCheck,
} satisfies { readonly [T in StepType]: unknown };

/** A step of any type with what is particular to its type compiled. */
export type CompiledStep = ReturnType<(typeof CHECKS)[StepType]["compile"]>;

/** How steps of this step's type are checked. */
export function checkOf(step: Step): StepCheck<Step, CompiledStep> {
  return CHECKS[step.type];
}
