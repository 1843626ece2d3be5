import type { OnError, Step } from "../../contracts/definition.ts";
import { type Place, within } from "../place.ts";
import type { Report } from "../problem.ts";
import { checkOf } from "./steps/index.ts";
import { type Target, targetAt } from "./steps/step_check.ts";

/** All steps that a step may lead to. */
export function targetsOf(step: Step, place: Place): Target[] {
  const onError = step.type === "succeed" || step.type === "fail" ? undefined : step.on_error;
  return [
    ...targetAt(within(place, "next_step"), step.next_step),
    ...onErrorTargets(onError, within(place, "on_error")),
    ...checkOf(step).targets(step, place),
  ];
}

/** The steps that an `on_error` may lead to. */
export function onErrorTargets(onError: OnError | undefined, place: Place): Target[] {
  if (onError === undefined) return [];
  if (typeof onError === "string") return [{ path: place, step: onError }];
  return onError.map((handler, i) => ({
    path: within(within(place, i), "next_step"),
    step: handler.next_step,
  }));
}

/**
 * Reports targets that no step has the name of.
 * @param whole what the steps belong to, as users call it: `definition`, `branch`
 */
export function checkTargets(
  targets: readonly Target[],
  ids: ReadonlySet<string>,
  whole: string,
  report: Report,
): void {
  for (const { path, step } of targets) {
    if (!ids.has(step)) {
      report({ path, message: `must be a step of this ${whole}: current value is "${step}"` });
    }
  }
}

/** The steps that can be come to, from where a job starts or an error leads. */
export function reachable(
  entries: readonly string[],
  targetsById: ReadonlyMap<string, readonly Target[]>,
): ReadonlySet<string> {
  const reached = new Set<string>();
  const open = [...entries];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (reached.has(id)) continue;
    reached.add(id);
    open.push(...(targetsById.get(id) ?? []).map((target) => target.step));
  }
  return reached;
}
