import type { Run, RunSummary } from "./run.ts";

/**
 * The orchestrator of one worker: at most one run takes on work at a time, and kicks that come
 * meanwhile are its business. A run that only finishes what it holds is left to do so.
 */
export class OrchestratorService {
  private current: { run: Run; done: Promise<RunSummary> } | null = null;
  private readonly startRun: () => Run;

  constructor(startRun: () => Run) {
    this.startRun = startRun;
  }

  /** Sees to it that somebody looks for work; `done` resolves when the run has ended. */
  kick(reason: string): { joined: boolean; done: Promise<RunSummary> } {
    const { current } = this;
    if (current?.run.isAccepting) {
      current.run.kick(reason);
      return { joined: true, done: current.done };
    }
    const run = this.startRun();
    const done = run.work().finally(() => {
      if (this.current?.run === run) this.current = null;
    });
    this.current = { run, done };
    return { joined: false, done };
  }
}
