import { z } from "zod";
import {
  DEFINITION_LIMITS,
  type Step,
  stepIdSchema,
  stepSchema,
  type WorkflowDefinition,
  workflowDefinitionSchema,
} from "../../contracts/definition.ts";
import { type CompiledExpression, compileExpression } from "../expressions.ts";
import { compileSchema, validateInput } from "../input_schema.ts";
import { isRecord } from "../json.ts";
import { type Place, within } from "../place.ts";
import type { Problem, Report } from "../problem.ts";
import { type CompiledValue, compileValue } from "../values.ts";
import { checkedCopy } from "./check_json.ts";
import { describeIssue } from "./describe_issue.ts";
import { checkOf, type CompiledStep } from "./steps/index.ts";
import type { Target } from "./steps/step_check.ts";
import { checkTargets, onErrorTargets, reachable } from "./targets.ts";

/** A step of a checked definition, with everything in it compiled. */
export type CheckedStep = CompiledStep & {
  readonly id: string;
  /** Null: the step is never skipped. */
  readonly when: CompiledExpression | null;
};

/** A definition in which everything holds, compiled once for all jobs that run it. */
export interface CheckedDefinition
  extends Readonly<Omit<WorkflowDefinition, "steps" | "output_map" | "input_schema">> {
  readonly steps: ReadonlyMap<string, CheckedStep>;
  /** Null: the result is the output of the last step. */
  readonly outputMap: CompiledValue | null;
  /** Where `input_data` does not fit `input_schema`; nothing where it fits or there is none. */
  inputProblems(input: unknown): Problem[];
}

/** What a check comes to: a definition that can be run, or every reason why it cannot. */
export type CheckResult =
  | { readonly ok: true; readonly definition: CheckedDefinition }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** The definition without what is checked for itself, to find all faults. */
const frameSchema = workflowDefinitionSchema.extend({
  steps: z.record(z.string(), z.unknown()),
  input_schema: z.unknown().optional(),
});

/** Checks a definition and compiles it. Takes anything, and never throws. */
export function checkDefinition(raw: unknown): CheckResult {
  const problems: Problem[] = [];
  const report: Report = (problem) => problems.push(problem);
  const copy = checkedCopy(raw, report);
  const definition = copy && compileDefinition(copy.value, report);
  return definition !== undefined && problems.length === 0
    ? { ok: true, definition }
    : { ok: false, problems };
}

function compileDefinition(raw: unknown, report: Report): CheckedDefinition | undefined {
  const frame = parse(frameSchema, raw, [], report);
  // Where the frame has faults, those of its parts are still worth telling.
  const parts = isRecord(raw) ? raw : {};
  const rawSteps = isRecord(parts["steps"]) ? parts["steps"] : {};
  const steps = parseSteps(rawSteps, report);
  checkGraph({ frame, steps, ids: new Set(Object.keys(rawSteps)) }, report);
  const compiled = {
    steps: new Map([...steps].map(([id, step]) => [id, compileStep(id, step, report)])),
    outputMap: Object.hasOwn(parts, "output_map")
      ? compileValue(parts["output_map"], "output_map", report)
      : null,
  };
  const inputSchema = Object.hasOwn(parts, "input_schema")
    ? compileSchema(parts["input_schema"], "input_schema", report)
    : undefined;
  if (frame === undefined) return undefined;
  const { output_map: _value, input_schema: _schema, steps: _steps, ...rest } = frame;
  return { ...rest, ...compiled, inputProblems: (input) => validateInput(inputSchema, input) };
}

function parseSteps(raw: Readonly<Record<string, unknown>>, report: Report): Map<string, Step> {
  const steps = new Map<string, Step>();
  const entries = Object.entries(raw);
  if (entries.length > DEFINITION_LIMITS.steps) {
    report({
      path: "steps",
      message:
        `must be at most ${DEFINITION_LIMITS.steps} steps: current number is ${entries.length}`,
    });
    return steps;
  }
  for (const [id, rawStep] of entries) {
    const known = parse(stepIdSchema, id, ["steps", id], report) !== undefined;
    const step = parse(stepSchema, rawStep, ["steps", id], report);
    if (known && step !== undefined) steps.set(id, step);
  }
  return steps;
}

function compileStep(id: string, step: Step, report: Report): CheckedStep {
  const place = within("steps", id);
  const when = step.when === undefined
    ? null
    : compileExpression(step.when, within(place, "when"), report);
  return { ...checkOf(step).compile(step, place, report), id, when };
}

/** What leads where: of a frame with faults, the entries are not known. */
interface Graph {
  frame: Pick<WorkflowDefinition, "start_step" | "on_error"> | undefined;
  steps: ReadonlyMap<string, Step>;
  /** Of all steps, also of those that could not be parsed. */
  ids: ReadonlySet<string>;
}

/** Checks that all targets exist, and that every step can be come to. */
function checkGraph({ frame, steps, ids }: Graph, report: Report): void {
  const targetsOf = new Map([...steps].map(([id, step]) => [id, targets(id, step)]));
  const entries: Target[] = frame === undefined ? [] : [
    { path: "start_step", step: frame.start_step },
    ...onErrorTargets(frame.on_error, "on_error"),
  ];
  checkTargets([...entries, ...[...targetsOf.values()].flat()], ids, report);
  // A part that could not be parsed may lead anywhere.
  if (frame === undefined || steps.size < ids.size) return;
  const reached = reachable(entries.map((entry) => entry.step), targetsOf);
  for (const id of ids) {
    if (!reached.has(id)) {
      report({ path: within("steps", id), message: "must be reachable: no step leads to it" });
    }
  }
}

function targets(id: string, step: Step): Target[] {
  const place: Place = within("steps", id);
  const next = step.next_step ?? null;
  return [
    ...(next === null ? [] : [{ path: within(place, "next_step"), step: next }]),
    ...checkOf(step).targets(step, place),
  ];
}

function parse<T>(
  schema: z.ZodType<T>,
  raw: unknown,
  keys: readonly PropertyKey[],
  report: Report,
): T | undefined {
  const parsed = schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.flatMap((issue) => describeIssue(issue, raw, keys));
  problems.forEach((problem) => report(problem));
  return undefined;
}

/** All problems in one text, for errors that have room for one message only. */
export function printProblems(problems: readonly Problem[]): string {
  return problems.map(({ path, message }) => `${path || "definition"} ${message}`).join("; ");
}
