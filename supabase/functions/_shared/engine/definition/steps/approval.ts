import type { ApprovalStep } from "../../../contracts/definition.ts";
import { within } from "../../place.ts";
import { type CheckedApproval, compileApproval } from "../approval.ts";
import { ORDINARY, type StepCheck, targetAt } from "./step_check.ts";

/** A question to a person, ready to be asked for any job. */
export interface CheckedApprovalStep {
  readonly step: ApprovalStep;
  readonly ask: CheckedApproval;
}

export const approvalCheck: StepCheck<ApprovalStep, CheckedApprovalStep> = {
  ...ORDINARY,
  compile: (step, { place }, report) => ({ step, ask: compileApproval(step, place, report) }),
  targets: (step, place) => [
    ...targetAt(within(place, "on_reject"), step.on_reject),
    ...targetAt(within(place, "on_timeout"), step.on_timeout),
  ],
};
