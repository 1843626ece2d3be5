import type { Branch, Step } from "../../../contracts/definition.ts";
import type { Place } from "../../place.ts";
import type { Report } from "../../problem.ts";

/** A step that another may lead to, and where that is said. */
export interface Target {
  path: Place;
  step: string;
}

/** Where a step stands. */
export interface StepSite {
  readonly id: string;
  readonly place: Place;
  /** Where it and the steps beside it stand. */
  readonly stepsPlace: Place;
  /** The path of the branch that the step belongs to; `""` at the root of the definition. */
  readonly branch: string;
}

/** Steps of their own that a step brings along. */
export interface BranchSource {
  /** The name of the branch in the whole definition: `fan.left`, `each/fan.left`. */
  readonly path: string;
  readonly place: Place;
  readonly branch: Branch;
  /** Where its steps stand, when that is not in the branch's own `steps`. */
  readonly stepsPlace?: Place;
}

/**
 * What is particular to one step type when a definition is checked. A step type is a file in this
 * folder and a line in `index.ts`; `when`, `next_step` and `on_error` are not its business.
 */
export interface StepCheck<S extends Step, Compiled extends { readonly step: S }> {
  /** The step with all its values and expressions compiled; what cannot be parsed is reported. */
  compile(step: S, site: StepSite, report: Report): Compiled;
  /** The steps that it may lead to, beside its `next_step` and `on_error`. */
  targets(step: S, place: Place): Target[];
  /** Steps of their own that it brings along. */
  branches(step: S, site: StepSite): BranchSource[];
  /** Whether it starts jobs that it waits for, one level below its own. */
  startsChildren(step: S): boolean;
  /** Whether it is done within the orchestrator: a cycle of such steps would never rest. */
  readonly instant: boolean;
  /** Whether the job may end with it, or leave it by an error. */
  mayEnd(step: S): boolean;
}

/** What holds for most types. */
export const ORDINARY = {
  targets: () => [],
  branches: () => [],
  startsChildren: () => false,
  instant: false,
  mayEnd: (step: Step) => (step.next_step ?? null) === null,
} satisfies Omit<StepCheck<Step, { step: Step }>, "compile">;

/** A target that may be absent, as a list. */
export function targetAt(path: Place, step: string | null | undefined): Target[] {
  return step === null || step === undefined ? [] : [{ path, step }];
}

/** The path of a branch within the branch of its step. */
export function branchPath(site: StepSite, name?: string): string {
  const own = name === undefined ? site.id : `${site.id}.${name}`;
  return site.branch === "" ? own : `${site.branch}/${own}`;
}
