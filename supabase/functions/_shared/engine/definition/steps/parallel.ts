import type { ParallelStep } from "../../../contracts/definition.ts";
import { within } from "../../place.ts";
import { branchPath, ORDINARY, type StepCheck } from "./step_check.ts";

/** Where the steps of one branch are found. */
export interface CheckedBranchName {
  readonly name: string;
  /** Its key in the branches of the definition. */
  readonly path: string;
}

/** Branches side by side, ready to be started for any job. */
export interface CheckedParallel {
  readonly step: ParallelStep;
  /** In the order in which they are written. */
  readonly branches: readonly CheckedBranchName[];
}

export const parallelCheck: StepCheck<ParallelStep, CheckedParallel> = {
  ...ORDINARY,
  compile: (step, site) => ({
    step,
    branches: Object.keys(step.branches).map((name) => ({ name, path: branchPath(site, name) })),
  }),
  startsChildren: () => true,
  branches: (step, site) =>
    Object.entries(step.branches).map(([name, branch]) => ({
      path: branchPath(site, name),
      place: within(within(site.place, "branches"), name),
      branch,
    })),
};
