import { matchesErrorPattern } from "../../../../../supabase/functions/_shared/contracts/definition.ts";
import { retryableByDefault } from "../../../../../supabase/functions/_shared/contracts/errors.ts";
import { type Answers, type Asked, EVENTS, payloadOf } from "./answers.ts";
import { type Document, readCondition, readValue, StoryError } from "./read_values.ts";

/** A definition, a branch or a step, as it is written. */
type Written = Record<string, unknown>;

/** How a job ends; `forever`: it does not. */
export type Outcome =
  | { readonly status: "completed"; readonly result: unknown }
  | { readonly status: "failed"; readonly code: string }
  | { readonly status: "forever" };

/** What a step comes to. */
type Ending =
  | { output: unknown; next?: string | undefined; handsOn?: boolean }
  | { code: string; output?: unknown; next?: string | undefined };

/** What stops a job whatever its steps say. */
class Stop extends Error {
  readonly outcome: Outcome;

  constructor(outcome: Outcome) {
    super(outcome.status);
    this.outcome = outcome;
  }
}

/** A job that goes through more steps than a story has room for. */
export class TooLongError extends Error {}

/** Reads definitions directly: what a job comes to when nothing is ever lost, late or done twice. */
export class Interpreter {
  private readonly workflows: ReadonlyMap<string, Written>;
  private readonly transformers: ReadonlyMap<string, Written>;
  private readonly answers: Answers;
  /** Steps that may still be gone through. */
  private room: number;

  constructor(
    workflows: ReadonlyMap<string, Written>,
    transformers: ReadonlyMap<string, Written>,
    answers: Answers,
    room: number,
  ) {
    this.workflows = workflows;
    this.transformers = transformers;
    this.answers = answers;
    this.room = room;
  }

  /** @throws {TooLongError} */
  countStep(): void {
    if (this.room-- <= 0) throw new TooLongError();
  }

  workflow(id: string, path: string, input: unknown): Outcome {
    const whole = this.workflows.get(id);
    if (whole === undefined) throw new Error(`there is no workflow ${id}`);
    const schema = whole["input_schema"] as { type?: string } | undefined;
    const isObject = typeof input === "object" && input !== null && !Array.isArray(input);
    if (schema !== undefined && !isObject) return { status: "failed", code: "input_invalid" };
    return new Reading(this, whole, whole, path, { job_input: input }, input).run();
  }

  has(workflowId: string): boolean {
    return this.workflows.has(workflowId);
  }

  retryOf(transformerId: unknown): Written {
    return this.transformers.get(String(transformerId))?.["retry"] as Written ?? {};
  }

  knows(transformerId: unknown): boolean {
    return this.transformers.has(String(transformerId));
  }

  get outside(): Answers {
    return this.answers;
  }
}

/** One job, read from its first step to its end. */
class Reading {
  private entries: Record<string, Written> = {};
  private visits = new Map<string, number>();
  private previous: string | null = null;
  private entered = 0;
  private isHandling = false;

  constructor(
    private readonly all: Interpreter,
    private readonly whole: Written,
    private readonly part: Written,
    private readonly path: string,
    private readonly base: Document,
    private readonly start: unknown,
  ) {}

  private get document(): Document {
    const { job_input, item, index, ...rest } = this.base;
    return {
      ...rest,
      ...this.entries,
      job_input,
      ...("item" in this.base ? { item, index } : {}),
    };
  }

  private get flowing(): unknown {
    return this.previous === null ? this.start : this.entries[this.previous]?.["output"] ?? null;
  }

  run(): Outcome {
    try {
      let id: string | null = String(this.part["start_step"]);
      while (id !== null) id = this.visit(id);
      const result = this.part["output_map"] === undefined
        ? this.previous === null ? null : this.flowing
        : readValue(this.part["output_map"], this.document);
      return { status: "completed", result };
    } catch (error) {
      if (error instanceof Stop) return error.outcome;
      if (error instanceof StoryError) return { status: "failed", code: error.code };
      throw error;
    }
  }

  /** Goes through one step. Answers the next. */
  private visit(id: string): string | null {
    if (this.entered++ >= Number(this.whole["max_step_visits"])) {
      throw new StoryError("step_budget_exceeded");
    }
    this.all.countStep();
    const step = (this.part["steps"] as Record<string, Written>)[id] ?? {};
    const visit = (this.visits.get(id) ?? 0) + 1;
    this.visits.set(id, visit);
    let ending: Ending;
    try {
      if (step["when"] !== undefined && !readCondition(String(step["when"]), this.document)) {
        this.entries[id] = { output: null, status: "skipped", error: null };
        return (step["next_step"] ?? null) as string | null;
      }
      ending = this.attempts(id, step, visit);
    } catch (error) {
      if (!(error instanceof StoryError)) throw error;
      ending = { code: error.code };
    }
    if (!("code" in ending)) {
      this.entries[id] = { output: ending.output, status: "completed", error: null };
      if (ending.handsOn !== false) this.previous = id;
      if (step["type"] === "succeed") return null;
      return (ending.next ?? step["next_step"] ?? null) as string | null;
    }
    const { code, output = null, next } = ending;
    this.entries[id] = { output, status: "failed", error: { code } };
    this.previous = id;
    return next ?? this.handler(step, code);
  }

  private handler(step: Written, code: string): string {
    const own = handlerIn(step["on_error"], code);
    if (own !== undefined) return own;
    const last = this.part === this.whole ? handlerIn(this.whole["on_error"], code) : undefined;
    if (last === undefined || this.isHandling) throw new StoryError(code);
    this.isHandling = true;
    return last;
  }

  private attempts(id: string, step: Written, visit: number): Ending {
    for (let attempt = 1;; attempt++) {
      const asked = { path: this.path, stepId: id, visit, attempt };
      const ending = this.attempt(asked, step);
      if (!("code" in ending) || ending.next !== undefined) return ending;
      const isWork = (step["type"] ?? "task") === "task";
      const isRepeated = isWork ||
        (step["type"] === "approval" && ending.code === "validation_failed");
      if (!isRepeated || !this.isRetried(isWork ? step : {}, ending.code, attempt)) return ending;
    }
  }

  private isRetried(step: Written, code: string, attempt: number): boolean {
    const sources = [step["retry"], this.whole["retry"], this.all.retryOf(step["transformer_id"])];
    const policy: Written = Object.assign({}, ...sources.toReversed());
    const means = (list: unknown) =>
      (list as string[] | undefined)?.some((pattern) => matchesErrorPattern(pattern, code));
    if (means(policy["never_retry_on"])) return false;
    return (means(policy["retry_on"]) ?? retryableByDefault(code)) &&
      attempt <= Number(policy["max_retries"] ?? 3);
  }

  private attempt(asked: Asked, step: Written): Ending {
    try {
      return this.act(asked, step);
    } catch (error) {
      if (error instanceof StoryError) return { code: error.code };
      throw error;
    }
  }

  private act(asked: Asked, step: Written): Ending {
    const read = (key: string) => readValue(step[key], this.document);
    switch (step["type"] ?? "task") {
      case "task":
        return this.task(asked, step);
      case "choice": {
        const ways = step["choices"] as { when: string; next_step: string }[];
        const next = ways.find(({ when }) => readCondition(when, this.document))?.next_step ??
          step["default"] as string | undefined;
        if (next === undefined) throw new StoryError("no_choice_matched");
        return { output: { next_step: next }, next, handsOn: false };
      }
      case "wait":
        if ("seconds" in step && typeof read("seconds") !== "number") {
          throw new StoryError("mapping_failed");
        }
        return { output: null, handsOn: false };
      case "parallel":
        return this.parallel(asked, step);
      case "map":
        return this.map(asked, step);
      case "workflow": {
        const input = "input_map" in step ? read("input_map") : this.flowing;
        const id = String(step["workflow_id"]);
        if (!this.all.has(id)) throw new StoryError("config_invalid");
        if (step["detached"]) {
          this.all.workflow(id, `${asked.path}/${asked.stepId}:${asked.visit}!`, input);
          return { output: { job_id: "some-job" } };
        }
        const [end] = this.collect(step, 0, [
          this.all.workflow(id, this.childPath(asked, 0), input),
        ]);
        return { output: end };
      }
      case "wait_for_event":
        return eventEnding(String(read("event")), step);
      case "approval": {
        read("title");
        const answer = this.all.outside.person(asked, step["timeout_seconds"] !== undefined);
        const on = (key: string) => step[key] as string | undefined;
        if (answer === null) return { code: "approval_timeout", next: on("on_timeout") };
        const { decision, form } = answer;
        if (isUnfit(step, answer)) throw new StoryError("validation_failed");
        const output = { decision, by: "someone", at: "then", notes: null, form };
        if (decision === "approved") return { output };
        if (step["on_reject"] === undefined) throw new StoryError("rejected");
        return { output, next: on("on_reject") };
      }
      case "transform":
        return { output: read("output") };
      case "succeed":
        if ("output" in step) throw new Stop({ status: "completed", result: read("output") });
        return { output: null, handsOn: false };
      case "fail":
        throw new Stop({
          status: "failed",
          code: "code" in step ? String(read("code")) : "workflow.failed",
        });
    }
    throw new Error(`a story has no ${step["type"]}`);
  }

  private childPath({ path, stepId, visit }: Asked, index: number): string {
    return `${path}/${stepId}:${visit}#${index}`;
  }

  private task(asked: Asked, step: Written): Ending {
    if (!this.all.knows(step["transformer_id"])) throw new StoryError("transformer_not_found");
    const input = "input_map" in step ? readValue(step["input_map"], this.document) : this.flowing;
    const { outside } = this.all;
    if (step["callback"] && outside.callback(asked) === "never") throw new StoryError("timeout");
    const answer = outside.task(asked, input);
    if (answer.type === "failed") throw new StoryError(answer.code);
    const { output } = answer;
    const rule = step["validate"] as Written | undefined;
    if (rule === undefined) return { output };
    const [onPass, onFail] = [rule["next_step_on_pass"], rule["next_step_on_fail"]];
    const verdict = this.judge(asked, rule, output);
    if (typeof verdict === "string") return { code: verdict, output: null };
    if (verdict === null) return { code: "invalid_result", output };
    return verdict
      ? { output, next: onPass as string | undefined }
      : { code: "validation_failed", output, next: onFail as string | undefined };
  }

  /** Whether an output passes; null for an answer that is none; a text for an error. */
  private judge(asked: Asked, rule: Written, output: unknown): boolean | string | null {
    switch (rule["type"]) {
      case "regex":
        return typeof output === "string" && new RegExp(String(rule["pattern"])).test(output);
      case "json_schema":
        return typeof output === "object" && output !== null && !Array.isArray(output);
      case "expression":
        return readCondition(String(rule["expression"]), { ...this.document, output });
      case "function": {
        const answer = this.all.outside.check(asked);
        if (answer.type === "failed") return answer.code;
        const { pass } = answer.output as { pass?: boolean };
        return pass ?? null;
      }
    }
    const answer = this.all.outside.person(asked, rule["timeout_seconds"] !== undefined);
    if (answer === null) return "approval_timeout";
    return isUnfit(rule, answer) ? "validation_failed" : answer.decision === "approved";
  }

  private parallel(asked: Asked, step: Written): Ending {
    const branches = Object.entries(step["branches"] as Record<string, Written>);
    const results = this.collect(
      step,
      0,
      branches.map(([, branch], i) => this.branch(asked, branch, i, this.document, this.flowing)),
    );
    return { output: Object.fromEntries(branches.map(([name], i) => [name, results[i]])) };
  }

  private branch(asked: Asked, part: Written, i: number, base: Document, start: unknown): Outcome {
    return new Reading(this.all, this.whole, part, this.childPath(asked, i), base, start).run();
  }

  private map(asked: Asked, step: Written): Ending {
    const items = readValue(step["items"], this.document);
    if (!Array.isArray(items)) throw new StoryError("mapping_failed");
    const { workflow_id, transformer_id, branch, input_map, retry } = step;
    if (items.length === 0) return { output: [] };
    const outcomes = items.map((item, index) => {
      const base = { ...this.document, item, index };
      if (workflow_id === undefined) {
        const body = { transformer_id, ...(input_map === undefined ? {} : { input_map }), retry };
        const part = branch ?? { start_step: asked.stepId, steps: { [asked.stepId]: body } };
        return () => this.branch(asked, part as Written, index, base, item);
      }
      const input = input_map === undefined ? item : readValue(input_map, base);
      return () => this.all.workflow(String(workflow_id), this.childPath(asked, index), input);
    });
    if (workflow_id !== undefined && !this.all.has(String(workflow_id))) {
      throw new StoryError("config_invalid");
    }
    const said = step["tolerated_failures"] ?? 0;
    const tolerated = typeof said === "number"
      ? said
      : Math.floor(items.length * parseInt(String(said)) / 100);
    return { output: this.collect(step, tolerated, outcomes.map((outcome) => outcome())) };
  }

  /** What children come to together. */
  private collect(step: Written, tolerated: number, outcomes: readonly Outcome[]): unknown[] {
    const failed = outcomes.filter(({ status }) => status === "failed").length;
    if (failed > tolerated) throw new StoryError("children_failed");
    if (outcomes.some(({ status }) => status === "forever")) {
      if (step["timeout_seconds"] === undefined) throw new Stop({ status: "forever" });
      throw new StoryError("timeout");
    }
    return outcomes.map((outcome) => outcome.status === "completed" ? outcome.result : null);
  }
}

function handlerIn(onError: unknown, code: string): string | undefined {
  if (onError === undefined || code === "step_budget_exceeded") return undefined;
  if (typeof onError === "string") return onError;
  return (onError as { errors: string[]; next_step: string }[]).find(({ errors }) =>
    errors.some((pattern) => matchesErrorPattern(pattern, code))
  )?.next_step;
}

function eventEnding(name: string, step: Written): Ending {
  if (!name.startsWith(EVENTS.never)) return { output: payloadOf(name) };
  if (step["timeout_seconds"] === undefined) throw new Stop({ status: "forever" });
  return { code: "event_timeout", next: step["on_timeout"] as string | undefined };
}

function isUnfit({ form }: Written, answer: { decision: string; form: unknown }): boolean {
  return form !== undefined && answer.decision === "approved" &&
    !Object.hasOwn(answer.form as Written, "ok");
}
