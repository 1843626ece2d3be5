// What executors made for tests note down, one file per job, so that a test can count side effects.
// A file and no table: it must be true also while Postgres is away, and after a `kill -9`.

import { join } from "node:path";

/** One thing that an executor saw or did. */
export interface LedgerLine {
  what: "delivered" | "finished" | "aborted";
  step_id: string;
  attempt: number;
  idempotency_key: string;
  task_id: string;
  /** Counts the lines of one executor process. */
  n: number;
  pid: number;
  config: Record<string, unknown>;
  input: unknown;
  deadline: string;
  token?: string;
}

/** The part of a task that a line quotes. */
export type LedgerTask = Omit<LedgerLine, "what" | "n" | "pid"> & { job_id: string };

let lines = 0;

/** Appends a line; it is there when this returns, whatever happens next. */
export function note(what: LedgerLine["what"], task: LedgerTask): void {
  const { step_id, attempt, idempotency_key, task_id, config, input, deadline, token } = task;
  const about = { step_id, attempt, idempotency_key, task_id, config, input, deadline };
  const line = { what, ...about, n: ++lines, pid: Deno.pid, ...(token ? { token } : {}) };
  const file = join(ledgerFolder(), `${task.job_id}.jsonl`);
  Deno.writeTextFileSync(file, JSON.stringify(line) + "\n", { append: true });
}

/** The lines of a job, oldest first. */
export function readLedger(folder: string, jobId: string): LedgerLine[] {
  try {
    const text = Deno.readTextFileSync(join(folder, `${jobId}.jsonl`));
    return text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** How often a step of a job was delivered, all visits and attempts counted. */
export function countDeliveries(folder: string, jobId: string, stepId: string): number {
  return readLedger(folder, jobId)
    .filter((line) => line.what === "delivered" && line.step_id === stepId).length;
}

/** A file that a test makes to let tasks go on that wait for it. */
export function gateFile(folder: string, name: string): string {
  return join(folder, `gate_${name}`);
}

/** Where the ledger is; the stack that runs the tests' executors says so. */
export function ledgerFolder(): string {
  const folder = Deno.env.get("MILLRACE_TEST_LEDGER");
  if (folder === undefined) throw new Error("MILLRACE_TEST_LEDGER is not set");
  return folder;
}
