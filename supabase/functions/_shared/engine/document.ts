import type { Scope } from "../contracts/turn.ts";
import { isRecord } from "./json.ts";

/** The columns of a job that its document shows. Times are RFC 3339. */
export interface DocumentSource {
  id: string;
  workflow_id: string;
  workflow_version: number;
  user_id: string;
  created_at: string;
  started_at: string | null;
  input_data: unknown;
  step_data: Readonly<Record<string, unknown>>;
  /** In a child of a map: its item, and where in the list it stands. */
  item?: unknown;
  index?: number | undefined;
  /** Of a branch: what is around it, the outermost first. */
  around?: readonly Scope[] | undefined;
}

/** The one document that every path and expression of a definition reads. */
export type JobDocument = Readonly<Record<string, unknown>>;

/**
 * Builds the document of a job; what it holds is shared with the job, not copied. A branch sees all
 * that the steps around it see: `job_input` and `job` are those of the job that runs the workflow,
 * and what is inside hides what is outside.
 */
export function jobDocument(job: DocumentSource): JobDocument {
  const around = job.around ?? [];
  const [run] = around;
  const item = itemOf(job);
  return {
    ...Object.assign({}, ...around.map((scope) => scope.step_data)),
    ...job.step_data,
    job_input: run === undefined ? job.input_data : run.input_data,
    job: {
      id: run?.job_id ?? job.id,
      workflow_id: job.workflow_id,
      workflow_version: job.workflow_version,
      user_id: job.user_id,
      created_at: run?.created_at ?? job.created_at,
      started_at: run?.started_at ?? job.started_at,
    },
    ...(item ?? {}),
  };
}

/** The item of the innermost map around a step, if there is one. */
function itemOf({ item, index, around = [] }: DocumentSource) {
  if (index !== undefined) return { item, index };
  const scope = around.findLast(({ item_index }) => item_index !== null);
  return scope && { item: scope.item, index: scope.item_index };
}

/** The output in an entry of `step_data`; null where there is none. */
export function outputIn(stepData: Readonly<Record<string, unknown>>, stepId: string): unknown {
  const entry = Object.hasOwn(stepData, stepId) ? stepData[stepId] : undefined;
  return isRecord(entry) ? entry["output"] ?? null : null;
}
