import type { ReportedError } from "../../../supabase/functions/_shared/contracts/executor.ts";
import { countDeliveries, ledgerFolder } from "./ledger.ts";

/** What `execute-test` does with one delivery, in this order. Nothing: its output is its input. */
export interface Action {
  /** Waits until the test opens this gate, or until nobody waits for the result any more. */
  gate?: string;
  /** As `gate`, but without looking at the signal. */
  deaf_gate?: string;
  sleep_ms?: number;
  /** Ends the process. */
  exit?: true;
  fail?: ReportedError;
  /** Throws an Error of these words. */
  throw?: string;
  /** Finishes the step by its token before it accepts it. */
  complete?: unknown;
  /** Accepts the task: a callback will finish it. */
  accept?: true;
  /** Any value; `null` too. */
  output?: unknown;
  /** Output of so many characters. */
  size?: number;
}

/** What `execute-rubbish` answers to one call. */
export interface RawAnswer {
  status?: number;
  headers?: Record<string, string>;
  /** Lines for each task; `TASK_ID` stands for its id. */
  lines?: string[];
  /** Neither ends the answer nor says more. */
  hang?: true;
}

/**
 * The entry of a list that is for this delivery of the step: each delivery takes the next one, and
 * the last is for all that come after.
 */
export function entryFor<T>(list: readonly T[], task: { job_id: string; step_id: string }): T {
  const count = countDeliveries(ledgerFolder(), task.job_id, task.step_id);
  const entry = list[Math.min(count, list.length) - 1];
  if (entry === undefined) throw new Error("there is nothing in the list, or no delivery is noted");
  return entry;
}
