import type { Step, StepType } from "../../contracts/definition.ts";
import type { CheckedStep } from "../definition/check.ts";
import type { Delivery, PlanContext } from "../decision.ts";
import type { Job } from "../job.ts";

/** What a step wants when it is its turn. */
export type StepOutcome =
  /** Work for an executor. */
  | { readonly type: "dispatch"; readonly delivery: Delivery }
  /** Done at once. */
  | { readonly type: "completed"; readonly output: unknown };

/**
 * One step type: what it does when the job stands at it with an attempt to make. A step type is a
 * file in this folder and a line in `index.ts`; all that steps have in common (visits, `when`,
 * retries, error handlers, records) is `plan`'s.
 */
export interface StepHandler<T extends StepType = StepType> {
  /**
   * Begins the current attempt.
   * @throws {EngineError} fails the attempt with its error
   */
  begin(
    job: Job,
    checked: CheckedStep & { readonly step: Extract<Step, { type: T }> },
    context: PlanContext,
  ): Promise<StepOutcome>;
  /** The transformer whose row and retry policy belong to the step, if it has one. */
  transformerId(step: Extract<Step, { type: T }>): string | null;
}
