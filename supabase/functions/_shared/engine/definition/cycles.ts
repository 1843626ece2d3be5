import type { Step } from "../../contracts/definition.ts";
import { checkOf } from "./steps/index.ts";
import type { Target } from "./steps/step_check.ts";

/**
 * The steps from which a job would go around for ever without a rest: nothing that takes time can
 * be come to from them, and no end.
 */
export function restlessSteps(
  steps: ReadonlyMap<string, Step>,
  targetsOf: ReadonlyMap<string, readonly Target[]>,
): string[] {
  const sources = invert(targetsOf);
  const restful = new Set<string>();
  const open = [...steps]
    // A target that does not exist is a fault of its own.
    .filter(([id, step]) => rests(step) || targetsOf.get(id)?.some((way) => !steps.has(way.step)))
    .map(([id]) => id);
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (restful.has(id)) continue;
    restful.add(id);
    open.push(...(sources.get(id) ?? []));
  }
  return [...steps.keys()].filter((id) => !restful.has(id));
}

function rests(step: Step): boolean {
  const check = checkOf(step);
  return !check.instant || check.mayEnd(step);
}

/** Which steps lead to each. */
function invert(
  targetsOf: ReadonlyMap<string, readonly Target[]>,
): ReadonlyMap<string, readonly string[]> {
  const sources = new Map<string, string[]>();
  for (const [id, targets] of targetsOf) {
    for (const { step } of targets) {
      const known = sources.get(step);
      if (known === undefined) sources.set(step, [id]);
      else known.push(id);
    }
  }
  return sources;
}
