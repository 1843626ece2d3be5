import assert from "node:assert/strict";
import { errorInfo } from "../../../../../supabase/functions/_shared/contracts/errors.ts";
import type {
  ChildEnd,
  JobWrite,
  Message,
  StepEntry,
} from "../../../../../supabase/functions/_shared/contracts/turn.ts";
import type { Decision } from "../../../../../supabase/functions/_shared/engine/decision.ts";
import { task, World } from "../plan/world.ts";

/** A job that stands at step `s` with an input; steps beside it may be targets. */
export function at(
  step: Record<string, unknown>,
  input: unknown = {},
  more: Record<string, unknown> = {},
): World {
  const steps: Record<string, unknown> = { s: step };
  for (const id of ["next", "other", "mend"]) {
    if (JSON.stringify(step).includes(`"${id}"`)) steps[id] = task();
  }
  // As JSON: keys without a value are none.
  const definition: unknown = JSON.parse(JSON.stringify({ start_step: "s", steps, ...more }));
  return new World(definition, { input_data: input });
}

/** What a decision writes. */
export function written({ write }: Decision): JobWrite {
  assert.ok(write !== null, "nothing is written");
  return write;
}

/** What the document says of step `s`. */
export function entryOf(world: World, step = "s"): StepEntry {
  const entry = world.job.step_data[step];
  assert.ok(entry, `there is no entry of '${step}'`);
  return entry as StepEntry;
}

/** The code and the message with which the last attempt failed. */
export function failureOf(world: World): string {
  const error = world.row.writes.flatMap(({ steps }) => steps).at(-1)?.error;
  assert.ok(error, "nothing has failed");
  return `${error.code}: ${error.message}`;
}

/** The end of a child: its result, or the code of its error. */
export function end(
  index: number,
  { result, code, status }: {
    result?: unknown;
    code?: "timeout" | "cancelled" | "http_4xx";
    status?: ChildEnd["status"];
  },
): ChildEnd {
  return {
    job_id: `00000000-0000-4000-8000-0000000001${String(index).padStart(2, "0")}`,
    index,
    status: status ?? (code === undefined ? "completed" : "failed"),
    result: result ?? null,
    error: code === undefined ? null : errorInfo(code, "as told"),
  };
}

/** The parent is looked at when some or all of its children have ended. */
export function claimWith(
  world: World,
  ends: readonly ChildEnd[] | null,
  { open = 0, messages = [] }: { open?: number; messages?: Message[] } = {},
): Promise<Decision> {
  const failed = ends?.filter(({ status }) => status !== "completed").length ?? 0;
  world.job = {
    ...world.job,
    open_children: open,
    failed_children: failed,
    children: ends === null ? null : [...ends],
  };
  return world.claim(messages);
}
