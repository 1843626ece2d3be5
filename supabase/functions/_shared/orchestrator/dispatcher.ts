import type { Task } from "../contracts/executor.ts";
import type { AttemptResult } from "../engine/decision.ts";

/** How the delivery of one task ended. */
export type DeliveryEnd =
  | { readonly type: "result"; readonly result: AttemptResult }
  /** The executor is gone, and nobody knows how far it came. */
  | { readonly type: "lost"; readonly reason: string };

/** A task on its way, with the time that it may take. */
export interface TaskOut {
  readonly task: Task;
  /** From now, in ms. */
  readonly timeoutMs: number;
  /** Aborted when nobody waits for the result any more. */
  readonly signal: AbortSignal;
  /** Told once how it ended; not at all after `signal`. */
  readonly end: (end: DeliveryEnd) => void;
}

/** Brings tasks to executors. */
export interface Dispatcher {
  /** Sends tasks to one function in one call, and tells each how it ended. Never throws. */
  dispatch(targetFunction: string, tasks: readonly TaskOut[]): void;
}
