import type { Client, Job, Workflow } from "./client.ts";
import { describeOutput } from "./describe_output.ts";
import { followJob, type Snapshot } from "./follow_job.ts";
import { duration, json } from "./format.ts";
import type { Outside, Run } from "./plan_runs.ts";
import { showValue } from "./show_value.ts";
import { type StepView, viewSteps } from "./step_view.ts";
import { showTask } from "./task.ts";
import type { Line, Span, Terminal } from "./terminal.ts";

/** One job of the demo, when it has ended. */
export interface Outcome {
  job: Job;
  steps: StepView[];
  /** From the request that started it until it was seen to have ended. */
  milliseconds: number;
}

/** Starts a workflow, shows each of its steps as it goes, and then the result. */
export async function runWorkflow(
  terminal: Terminal,
  client: Client,
  { workflowId, input, outside }: Run,
): Promise<Outcome> {
  const workflow = await client.workflow(workflowId);
  terminal.line();
  terminal.line([workflowId, "bold"]);
  terminal.line(`  ${workflow.description}`);
  terminal.line(["  input  ", "dim"], json(input, terminal.width - 9));

  const began = performance.now();
  const { job_id } = await showTask(terminal, {
    doing: "POST /functions/v1/workflows/start",
    done: ({ job_id }) => `job ${job_id} started`,
  }, client.start(workflowId, input));
  const board = new Board(terminal, workflow);
  const help = outside && helper(terminal, client, outside);
  const job = await board.whileShown(() =>
    followJob(client, job_id, async (snapshot) => {
      board.update(snapshot);
      await help?.(snapshot);
    })
  );
  const outcome = { job, steps: board.steps, milliseconds: performance.now() - began };
  showOutcome(terminal, outcome);
  return outcome;
}

/** Lets happen what a job waits for, once it does. */
function helper(terminal: Terminal, client: Client, { text, happen }: Outside) {
  let happened = false;
  return async ({ job }: Snapshot): Promise<void> => {
    if (happened || job.status !== "waiting") return;
    happened = true;
    await happen(client);
    terminal.line("  ", ["↳", "good"], ` ${text}`);
  };
}

/** The steps of one job, a line each. */
class Board {
  steps: StepView[];
  readonly #runningSince = new Map<string, number>();
  readonly #written = new Set<string>();

  constructor(readonly terminal: Terminal, readonly workflow: Workflow) {
    this.steps = viewSteps(workflow, undefined);
  }

  async whileShown<T>(work: () => Promise<T>): Promise<T> {
    this.terminal.draw(() => this.steps.map((step) => this.#line(step)));
    try {
      return await work();
    } finally {
      this.terminal.keep();
    }
  }

  update(snapshot: Snapshot): void {
    this.steps = viewSteps(this.workflow, snapshot);
    for (const { id, state } of this.steps) {
      if (state === "running" && !this.#runningSince.has(id)) {
        this.#runningSince.set(id, performance.now());
      }
    }
    if (!this.terminal.live) this.#writeEnded();
  }

  #writeEnded(): void {
    for (const step of this.steps) {
      const ended = ["completed", "failed", "skipped"].includes(step.state);
      if (!ended || this.#written.has(step.id)) continue;
      this.#written.add(step.id);
      this.terminal.line(...this.#line(step));
    }
  }

  #line(step: StepView): Line {
    const idWidth = Math.max(...this.steps.map(({ id }) => id.length));
    const titleWidth = Math.max(...this.steps.map(({ title }) => title.length));
    const ahead = step.state === "ahead";
    const id = step.id.padEnd(idWidth);
    return [
      "  ",
      this.#mark(step),
      ahead ? [` ${id}`, "dim"] : ` ${id}`,
      [`  ${step.title.padEnd(titleWidth)}`, ahead ? "dim" : "plain"],
      [`  ${this.#time(step).padStart(7)}`, "dim"],
      [`  ${this.#detail(step)}`, "dim"],
    ];
  }

  #mark({ state }: StepView): Span {
    switch (state) {
      case "ahead":
        return ["·", "dim"];
      case "running":
      case "retrying":
        return [this.terminal.spinner, "busy"];
      case "completed":
        return ["✓", "good"];
      case "failed":
        return ["✗", "bad"];
      case "skipped":
        return ["–", "dim"];
    }
  }

  #time({ id, state, milliseconds }: StepView): string {
    if (state === "completed" || state === "failed") {
      return milliseconds === undefined ? "" : duration(milliseconds);
    }
    const since = this.#runningSince.get(id);
    return state === "running" && since !== undefined ? duration(performance.now() - since) : "";
  }

  #detail({ state, output, error, attempts }: StepView): string {
    switch (state) {
      case "completed":
        return describeOutput(output) + (attempts > 1 ? ` (${attempts} attempts)` : "");
      case "skipped":
        return "skipped: its `when` is false";
      case "failed":
        return error?.code ?? "";
      case "retrying":
        return `attempt ${attempts + 1} follows: ${error?.message ?? "the last one failed"}`;
      default:
        return "";
    }
  }
}

function showOutcome(terminal: Terminal, { job, milliseconds }: Outcome): void {
  if (job.status !== "completed") {
    const error = job.error ?? { code: job.status, message: job.error_message ?? "" };
    terminal.line("  ", [`${job.status}: ${error.code}`, "bad"]);
    terminal.line(`  ${error.message}`);
    return;
  }
  terminal.line("  ", ["result", "bold"], [`  ${duration(milliseconds)} after the request`, "dim"]);
  for (const line of showValue(job.final_result, terminal.width, "    ")) terminal.line(line);
}
