import type { OnError } from "../../contracts/definition.ts";
import { type Place, within } from "../place.ts";
import type { Report } from "../problem.ts";
import type { Target } from "./steps/step_check.ts";

/** The steps that an `on_error` may lead to. */
export function onErrorTargets(onError: OnError | undefined, place: Place): Target[] {
  if (onError === undefined) return [];
  if (typeof onError === "string") return [{ path: place, step: onError }];
  return onError.map((handler, i) => ({
    path: within(within(place, i), "next_step"),
    step: handler.next_step,
  }));
}

/** Reports targets that no step has the name of. */
export function checkTargets(
  targets: readonly Target[],
  ids: ReadonlySet<string>,
  report: Report,
): void {
  for (const { path, step } of targets) {
    if (!ids.has(step)) {
      report({ path, message: `must be a step of this definition: current value is "${step}"` });
    }
  }
}

/** The steps that can be come to, from where a job starts or an error leads. */
export function reachable(
  entries: readonly string[],
  targetsOf: ReadonlyMap<string, readonly Target[]>,
): ReadonlySet<string> {
  const reached = new Set<string>();
  const open = [...entries];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (reached.has(id)) continue;
    reached.add(id);
    open.push(...(targetsOf.get(id) ?? []).map((target) => target.step));
  }
  return reached;
}
