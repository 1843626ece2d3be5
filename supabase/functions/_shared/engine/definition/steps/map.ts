import {
  type Branch,
  DEFAULT_TASK_TIMEOUT_SECONDS,
  type MapStep,
} from "../../../contracts/definition.ts";
import { type Place, within } from "../../place.ts";
import type { Report } from "../../problem.ts";
import type { CompiledValue } from "../../values.ts";
import { compileKey, compileRuled } from "../compile_key.ts";
import { itemsRule } from "../value_rules.ts";
import { branchPath, type BranchSource, ORDINARY, type StepCheck } from "./step_check.ts";

/** The same for each item of a list, ready to be started for any job. */
export interface CheckedMap {
  readonly step: MapStep;
  readonly items: CompiledValue;
  /** Only with `workflow_id`: the input of each job; null: the item. */
  readonly input: CompiledValue | null;
  /** The key of its body in the branches of the definition; null with `workflow_id`. */
  readonly path: string | null;
}

/** Keys that say something about some bodies only. */
const BODIES_OF_KEYS = {
  input_map: ["transformer_id", "workflow_id"],
  config: ["transformer_id"],
  retry: ["transformer_id"],
  item_timeout_seconds: ["transformer_id"],
  version: ["workflow_id"],
} as const;

export const mapCheck: StepCheck<MapStep, CheckedMap> = {
  ...ORDINARY,
  compile: (step, site, report) => {
    checkKeys(step, site.place, report);
    const isWorkflow = step.workflow_id !== undefined;
    return {
      step,
      items: compileRuled(step.items, within(site.place, "items"), report, itemsRule),
      input: isWorkflow ? compileKey(step, "input_map", site.place, report) : null,
      path: isWorkflow ? null : branchPath(site),
    };
  },
  startsChildren: () => true,
  branches: (step, site): BranchSource[] => {
    const path = branchPath(site);
    if (step.branch !== undefined) {
      return [{ path, place: within(site.place, "branch"), branch: step.branch }];
    }
    if (step.transformer_id === undefined) return [];
    return [{
      path,
      place: site.place,
      stepsPlace: site.stepsPlace,
      branch: branchOfTask(site.id, step, step.transformer_id),
    }];
  },
};

function checkKeys(step: MapStep, place: Place, report: Report): void {
  for (const [key, bodies] of Object.entries(BODIES_OF_KEYS)) {
    if (Object.hasOwn(step, key) && !bodies.some((body) => step[body] !== undefined)) {
      const names = bodies.map((body) => `'${body}'`).join(" or ");
      report({ path: within(place, key), message: `needs ${names}` });
    }
  }
}

/** What each item goes through when the map names a transformer: one task with the map's name. */
function branchOfTask(id: string, step: MapStep, transformerId: string): Branch {
  return {
    start_step: id,
    steps: {
      [id]: {
        type: "task",
        transformer_id: transformerId,
        ...(Object.hasOwn(step, "input_map") ? { input_map: step.input_map } : {}),
        ...(step.config === undefined ? {} : { config: step.config }),
        ...(step.retry === undefined ? {} : { retry: step.retry }),
        timeout_seconds: step.item_timeout_seconds ?? DEFAULT_TASK_TIMEOUT_SECONDS,
      },
    },
  };
}
