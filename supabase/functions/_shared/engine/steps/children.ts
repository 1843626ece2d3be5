import { MAX_CHILD_DEPTH } from "../../contracts/definition.ts";
import { errorInfo } from "../../contracts/errors.ts";
import type { ChildEnd, SpawnedChild, Waiting } from "../../contracts/turn.ts";
import { iso } from "../draft.ts";
import { EngineError } from "../errors.ts";
import type { Job } from "../job.ts";
import type { Settlement, StepOutcome } from "./handler.ts";
import { cutText } from "../text.ts";

/** What a step starts children with. */
export interface ChildrenWish {
  readonly children: SpawnedChild[];
  readonly workflow?: { readonly id: string; readonly version: number | undefined };
  /** How many may run at a time; 0: all. */
  readonly maxRunning?: number;
  /** How many may fail. */
  readonly tolerated?: number;
  readonly timeoutSeconds: number | undefined;
}

/**
 * Starts children and waits for them.
 *
 * @throws {EngineError} `config_invalid` where jobs are nested too deep
 */
export function startChildren(job: Job, stepId: string, now: number, wish: ChildrenWish) {
  checkDepth(job, stepId);
  const { children, workflow, maxRunning = 0, tolerated = 0, timeoutSeconds } = wish;
  const waiting: Waiting = {
    kind: "children",
    since: iso(now),
    until: timeoutSeconds === undefined ? null : iso(now + timeoutSeconds * 1000),
    total: children.length,
    tolerated,
  };
  return {
    type: "spawn",
    waiting,
    spawn: {
      max_running: maxRunning,
      lease: false,
      detached: false,
      workflow_id: workflow?.id ?? null,
      workflow_version: workflow?.version ?? null,
      children,
    },
  } as const satisfies StepOutcome;
}

function checkDepth(job: Job, stepId: string): void {
  if (job.depth < MAX_CHILD_DEPTH) return;
  throw new EngineError(
    "config_invalid",
    `Cannot start the children of step '${stepId}' as jobs must be nested at most ${MAX_CHILD_DEPTH} deep`,
  );
}

const SHOWN_FAILURES = 10;

/** The failure of a step some of whose children have failed. @param name says which a child is */
export function childrenFailed(
  stepId: string,
  failed: readonly ChildEnd[],
  count: number,
  name: (end: ChildEnd) => string,
): Settlement & { type: "failed" } {
  const [first] = failed;
  const why = first === undefined
    ? ""
    : `: ${name(first)} ${first.status === "cancelled" ? "was cancelled" : "failed"} with ${
      first.error?.code ?? "no error"
    }: ${first.error?.message ?? ""}`;
  return {
    type: "failed",
    error: errorInfo(
      "children_failed",
      cutText(`${count} of the children of step '${stepId}' failed${why}`, 2_000),
      {
        details: {
          failed: count,
          children: failed.slice(0, SHOWN_FAILURES).map((end) => ({
            job_id: end.job_id,
            index: end.index,
            status: end.status,
            error: end.error && { code: end.error.code, message: end.error.message },
          })),
        },
      },
    ),
  };
}
