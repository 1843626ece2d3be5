import {
  MAX_CHILD_DEPTH,
  type Step,
  stepIdSchema,
  stepSchema,
} from "../../contracts/definition.ts";
import { compileExpression } from "../expressions.ts";
import { isRecord } from "../json.ts";
import { type Place, within } from "../place.ts";
import type { Report } from "../problem.ts";
import type { CompiledValue } from "../values.ts";
import type { CheckedStep } from "./checked.ts";
import { compileKey } from "./compile_key.ts";
import { restlessSteps } from "./cycles.ts";
import { parse } from "./parse.ts";
import { checkOf } from "./steps/index.ts";
import type { StepSite, Target } from "./steps/step_check.ts";
import { checkTargets, reachable, targetsOf } from "./targets.ts";

/** Steps that one job runs: those of a definition, or of one branch. */
export interface GraphSource {
  /** The branch's name in the whole definition; `""` is the definition itself. */
  readonly path: string;
  readonly place: Place;
  /** Where the steps stand. */
  readonly stepsPlace: Place;
  /** Levels of branches around it. */
  readonly depth: number;
  /** What holds `steps` and `output_map`, as it is written. */
  readonly raw: Readonly<Record<string, unknown>>;
  /** Where jobs and errors come in; null: not known, as that could not be parsed. */
  readonly entries: readonly Target[] | null;
}

/** The steps of a graph, compiled. */
export interface Graph {
  readonly start_step: string;
  readonly steps: ReadonlyMap<string, CheckedStep>;
  readonly outputMap: CompiledValue | null;
}

/**
 * Checks and compiles a graph and all branches in it.
 * @param graphs is given each of them by its path
 */
export function compileGraph(
  source: GraphSource,
  graphs: Map<string, Graph>,
  report: Report,
): void {
  const rawSteps = isRecord(source.raw["steps"]) ? source.raw["steps"] : {};
  const parsed = parseSteps(rawSteps, source.stepsPlace, report);
  checkWays(source, parsed, new Set(Object.keys(rawSteps)), report);
  const steps = new Map<string, CheckedStep>();
  for (const [id, step] of parsed) {
    const { stepsPlace } = source;
    const site = { id, stepsPlace, place: within(stepsPlace, id), branch: source.path };
    steps.set(id, compileStep(step, site, report));
    for (const branch of branchesOf(step, site, source.depth, report)) {
      compileGraph(branch, graphs, report);
    }
  }
  graphs.set(source.path, {
    start_step: source.entries?.[0]?.step ?? "",
    steps,
    outputMap: compileKey(source.raw, "output_map", source.place, report),
  });
}

function parseSteps(
  raw: Readonly<Record<string, unknown>>,
  place: Place,
  report: Report,
): Map<string, Step> {
  const steps = new Map<string, Step>();
  for (const [id, rawStep] of Object.entries(raw)) {
    const known = parse(stepIdSchema, id, within(place, id), report) !== undefined;
    const step = parse(stepSchema, rawStep, within(place, id), report);
    if (known && step !== undefined) steps.set(id, step);
  }
  return steps;
}

function compileStep(step: Step, site: StepSite, report: Report): CheckedStep {
  const when = step.when === undefined
    ? null
    : compileExpression(step.when, within(site.place, "when"), report);
  return { ...checkOf(step).compile(step, site, report), id: site.id, when };
}

function branchesOf(step: Step, site: StepSite, depth: number, report: Report): GraphSource[] {
  const check = checkOf(step);
  if (depth >= MAX_CHILD_DEPTH && check.startsChildren(step)) {
    const message = `must not start jobs of its own: branches nest at most ${MAX_CHILD_DEPTH} deep`;
    report({ path: site.place, message });
    return [];
  }
  return check.branches(step, site).map(({ path, place, stepsPlace, branch }) => ({
    path,
    place,
    stepsPlace: stepsPlace ?? within(place, "steps"),
    depth: depth + 1,
    raw: { ...branch },
    entries: [{ path: within(place, "start_step"), step: branch.start_step }],
  }));
}

/** Checks that all targets exist, that every step can be come to, and that no cycle is restless. */
function checkWays(
  source: GraphSource,
  steps: ReadonlyMap<string, Step>,
  /** Of all steps, also of those that could not be parsed. */
  ids: ReadonlySet<string>,
  report: Report,
): void {
  const placeOf = (id: string) => within(source.stepsPlace, id);
  const targets = new Map([...steps].map(([id, step]) => [id, targetsOf(step, placeOf(id))]));
  const entries = source.entries ?? [];
  const whole = source.path === "" ? "definition" : "branch";
  checkTargets([...entries, ...[...targets.values()].flat()], ids, whole, report);
  // A part that could not be parsed may lead anywhere.
  if (source.entries === null || steps.size < ids.size) return;
  const reached = reachable(entries.map((entry) => entry.step), targets);
  for (const id of ids) {
    if (!reached.has(id)) {
      report({ path: placeOf(id), message: "must be reachable: no step leads to it" });
    }
  }
  for (const id of restlessSteps(steps, targets)) {
    report({
      path: placeOf(id),
      message: "must lead to a wait, a task or an end: it goes in circles",
    });
  }
}
