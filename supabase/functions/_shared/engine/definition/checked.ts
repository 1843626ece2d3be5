import type { StepType, WorkflowDefinition } from "../../contracts/definition.ts";
import type { RateLimit } from "../../contracts/definition/admission.ts";
import type { CompiledExpression } from "../expressions.ts";
import type { Problem } from "../problem.ts";
import type { CompiledValue } from "../values.ts";
import type { CompiledStep } from "./steps/index.ts";

/** A step of a checked definition, with everything in it compiled. */
export type CheckedStep = CompiledStep & {
  readonly id: string;
  /** Null: the step is never skipped. */
  readonly when: CompiledExpression | null;
};

/** A checked step of one type. */
export type CheckedStepOf<T extends StepType> = Extract<
  CheckedStep,
  { readonly step: { readonly type: T } }
>;

/** How many jobs of a workflow may run at a time. */
export interface CheckedConcurrency {
  readonly max_running: number;
  /** Null: one limit for all jobs. */
  readonly key: CompiledValue | null;
}

/** The keys of a definition that are compiled. */
type CompiledKey =
  | "steps"
  | "output_map"
  | "input_schema"
  | "concurrency"
  | "rate_limit";

/** A definition in which everything holds, compiled once for all jobs that run it. */
export interface CheckedDefinition extends Readonly<Omit<WorkflowDefinition, CompiledKey>> {
  readonly steps: ReadonlyMap<string, CheckedStep>;
  /** Null: the result is the output of the last step. */
  readonly outputMap: CompiledValue | null;
  readonly concurrency: CheckedConcurrency | null;
  readonly rateLimit: RateLimit | null;
  /**
   * Every branch at any depth as a definition of its own, by its path from the root: `fan.left` is
   * branch `left` of the parallel `fan`, `each` the body of the map `each`, `each/fan.left` a
   * branch in that body. A branch has the retry policy and the step budget of the whole, no limits
   * and no error handler, and the same map of branches.
   */
  readonly branches: ReadonlyMap<string, CheckedDefinition>;
  /** Where `input_data` does not fit `input_schema`; nothing where it fits or there is none. */
  inputProblems(input: unknown): Problem[];
}
