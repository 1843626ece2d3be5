import { z } from "zod";
import { DEFINITION_LIMITS, workflowDefinitionSchema } from "../../contracts/definition.ts";
import { compileSchema, validateInput } from "../input_schema.ts";
import { isRecord } from "../json.ts";
import type { Problem, Report } from "../problem.ts";
import { checkedCopy } from "./check_json.ts";
import type { CheckedConcurrency, CheckedDefinition } from "./checked.ts";
import { compileKey } from "./compile_key.ts";
import { countSteps } from "./count_steps.ts";
import { compileGraph, type Graph } from "./graph.ts";
import { parse } from "./parse.ts";
import { onErrorTargets } from "./targets.ts";
import { limitKeyRule } from "./value_rules.ts";

export type {
  CheckedConcurrency,
  CheckedDefinition,
  CheckedStep,
  CheckedStepOf,
} from "./checked.ts";
export type { CheckedApproval } from "./approval.ts";
export type { CheckedValidate } from "./validate.ts";

/** What a check comes to: a definition that can be run, or every reason why it cannot. */
export type CheckResult =
  | { readonly ok: true; readonly definition: CheckedDefinition }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** The definition without what is checked for itself, to find all faults. */
const frameSchema = workflowDefinitionSchema.extend({
  steps: z.record(z.string(), z.unknown()),
  input_schema: z.unknown().optional(),
});
type Frame = z.infer<typeof frameSchema>;

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
  const frame = parse(frameSchema, raw, "", report);
  // Where the frame has faults, those of its parts are still worth telling.
  const parts = isRecord(raw) ? raw : {};
  const count = countSteps(parts["steps"]);
  const graphs = new Map<string, Graph>();
  if (count > DEFINITION_LIMITS.steps) {
    report({
      path: "steps",
      message:
        `must be at most ${DEFINITION_LIMITS.steps} steps, those of branches included: current number is ${count}`,
    });
  } else {
    compileGraph(
      {
        path: "",
        place: "",
        stepsPlace: "steps",
        depth: 0,
        raw: parts,
        entries: frame === undefined ? null : [
          { path: "start_step", step: frame.start_step },
          ...onErrorTargets(frame.on_error, "on_error"),
        ],
      },
      graphs,
      report,
    );
  }
  const inputSchema = Object.hasOwn(parts, "input_schema")
    ? compileSchema(parts["input_schema"], "input_schema", report)
    : undefined;
  const concurrency = frame && compileConcurrency(frame, report);
  const root = graphs.get("");
  if (frame === undefined || root === undefined) return undefined;
  const {
    steps: _steps,
    output_map: _outputMap,
    input_schema: _inputSchema,
    concurrency: _concurrency,
    rate_limit: rateLimit,
    ...rest
  } = frame;
  return {
    ...rest,
    ...root,
    concurrency: concurrency ?? null,
    rateLimit: rateLimit ?? null,
    branches: branchDefinitions(graphs, frame),
    inputProblems: (input) => validateInput(inputSchema, input),
  };
}

function compileConcurrency(
  { concurrency }: Frame,
  report: Report,
): CheckedConcurrency | null {
  if (concurrency === undefined) return null;
  return {
    max_running: concurrency.max_running,
    key: compileKey(concurrency, "key", "concurrency", report, limitKeyRule),
  };
}

function branchDefinitions(
  graphs: ReadonlyMap<string, Graph>,
  { retry, max_step_visits }: Frame,
): ReadonlyMap<string, CheckedDefinition> {
  const branches = new Map<string, CheckedDefinition>();
  for (const [path, graph] of graphs) {
    if (path === "") continue;
    branches.set(path, {
      ...graph,
      ...(retry === undefined ? {} : { retry }),
      max_step_visits,
      concurrency: null,
      rateLimit: null,
      branches,
      inputProblems: () => [],
    });
  }
  return branches;
}

/** All problems in one text, for errors that have room for one message only. */
export function printProblems(problems: readonly Problem[]): string {
  return problems.map(({ path, message }) => `${path || "definition"} ${message}`).join("; ");
}
