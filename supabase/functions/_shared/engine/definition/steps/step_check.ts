import type { Step } from "../../../contracts/definition.ts";
import type { Place } from "../../place.ts";
import type { Report } from "../../problem.ts";

/** A step that another may lead to, and where that is said. */
export interface Target {
  path: Place;
  step: string;
}

/**
 * What is particular to one step type when a definition is checked. A step type is a file in this
 * folder and a line in `index.ts`; `when` and `next_step`, which all have, are not its business.
 */
export interface StepCheck<S extends Step, Compiled extends { readonly step: S }> {
  /** The step with all its values and expressions compiled; what cannot be parsed is reported. */
  compile(step: S, place: Place, report: Report): Compiled;
  /** The steps that it may lead to, beside its `next_step`. */
  targets(step: S, place: Place): Target[];
}
