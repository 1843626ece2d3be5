import type { JobError, StepDefinition, Workflow } from "./client.ts";
import type { Snapshot } from "./follow_job.ts";

/** A step of a job as it is shown. */
export interface StepView {
  id: string;
  title: string;
  state: "ahead" | "running" | "retrying" | "completed" | "failed" | "skipped";
  /** From the first attempt's start to the last one's end, once there is one. */
  milliseconds: number | undefined;
  attempts: number;
  output: unknown;
  error: JobError | null;
}

/** The steps of a job: first those of the definition's main path, then whatever else it went to. */
export function viewSteps({ definition }: Workflow, snapshot: Snapshot | undefined): StepView[] {
  const ids = new Set(mainPath(definition));
  for (const id of Object.keys(snapshot?.job.step_data ?? {})) ids.add(id);
  return [...ids].map((id) => viewStep(id, definition.steps[id] ?? {}, snapshot));
}

function viewStep(
  id: string,
  step: StepDefinition,
  snapshot: Snapshot | undefined,
): StepView {
  const entry = snapshot?.job.step_data[id];
  const attempts = snapshot?.attempts.filter((attempt) => attempt.step_id === id) ?? [];
  const [first, last] = [attempts[0], attempts.at(-1)];
  return {
    id,
    title: step.title ?? step.transformer_id ?? step.type ?? "",
    state: entry?.status ?? stateWithoutEntry(id, snapshot),
    milliseconds: first === undefined || last === undefined
      ? undefined
      : Date.parse(last.ended_at) - Date.parse(first.started_at),
    attempts: attempts.length,
    output: entry?.output ?? null,
    error: entry?.error ?? last?.error ?? null,
  };
}

function stateWithoutEntry(id: string, snapshot: Snapshot | undefined): StepView["state"] {
  if (snapshot?.job.current_step_id !== id) return "ahead";
  switch (snapshot.job.status) {
    case "awaiting_retry":
      return "retrying";
    case "failed":
    case "cancelled":
      return "failed";
    default:
      return "running";
  }
}

function mainPath({ start_step, steps }: Workflow["definition"]): string[] {
  const path: string[] = [];
  for (let id: string | null | undefined = start_step; id && !path.includes(id);) {
    path.push(id);
    id = steps[id]?.next_step;
  }
  return path;
}
