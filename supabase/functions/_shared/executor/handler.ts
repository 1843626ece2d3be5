import type { Task } from "../contracts/executor.ts";
import type { Log } from "../log.ts";

/** What a handler is given beside its task. */
export interface TaskContext {
  /** Aborted at the task's deadline, and when the orchestrator goes away. */
  signal: AbortSignal;
  /** Writes JSON lines that carry the task's job, step, attempt and trace. */
  log: Log;
}

/** Returned by a handler that finishes its task later, by callback under `task.token`. */
export const ACCEPTED: unique symbol = Symbol("accepted");

/**
 * Does one task: returns its output (any JSON value), or {@link ACCEPTED}.
 *
 * @throws {ExecutorError} to fail the task with a code; anything else becomes `internal`.
 */
export type TaskHandler = (
  task: Task,
  context: TaskContext,
) => unknown | Promise<unknown>;
