/** What a run has done. */
export interface RunSummary {
  run_id: string;
  claimed: number;
  /** Attempts that were settled. */
  steps: number;
  completed: number;
  failed: number;
  turns: number;
  /** Calls of executors. */
  calls: number;
  duration_ms: number;
}

/** The summary of a run that has done nothing yet. */
export function emptySummary(runId: string): RunSummary {
  return {
    run_id: runId,
    claimed: 0,
    steps: 0,
    completed: 0,
    failed: 0,
    turns: 0,
    calls: 0,
    duration_ms: 0,
  };
}
