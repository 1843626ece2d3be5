import type { Run } from "./run.ts";
import type { RunSummary } from "./run_summary.ts";

/** What the service needs of a run. */
export type ServiceRun = Pick<Run, "isAccepting" | "kick" | "work">;

/**
 * The orchestrator of one worker: at most one run takes on work at a time, and kicks that come
 * meanwhile are its business. A run that only finishes what it holds is left to do so.
 */
export class OrchestratorService {
  private readonly running = new Map<ServiceRun, Promise<RunSummary>>();
  private readonly startRun: () => ServiceRun;

  constructor(startRun: () => ServiceRun) {
    this.startRun = startRun;
  }

  /** Sees to it that somebody looks for work; `done` resolves when the run has ended. */
  kick(reason: string): { joined: boolean; done: Promise<RunSummary> } {
    let joined: Promise<RunSummary> | undefined;
    for (const [run, done] of this.running) {
      // Those that only finish what they hold look too: a message may be for one of their jobs.
      run.kick(reason);
      if (run.isAccepting) joined = done;
    }
    if (joined !== undefined) return { joined: true, done: joined };
    const run = this.startRun();
    run.kick(reason);
    const done = run.work().finally(() => this.running.delete(run));
    this.running.set(run, done);
    return { joined: false, done };
  }
}
