import type { Log } from "../log.ts";

/** What a kicker needs. */
export interface KickerOptions {
  /** Calls the orchestrator once; rejects when it could not be reached. */
  invoke(): Promise<void>;
  /** Keeps the process for the work. */
  background(work: Promise<void>): void;
  log: Log;
}

/**
 * Fire and forget: the job is safe in the database, and `tick()` makes up for a kick that is lost.
 * While one is on its way further ones only mark "once more afterwards", so that a burst of starts
 * is no burst of invocations.
 */
export function createKicker({ invoke, background, log }: KickerOptions): () => void {
  let inFlight = false;
  let onceMore = false;

  async function run(): Promise<void> {
    do {
      onceMore = false;
      try {
        await invoke();
      } catch (error) {
        log.warn("kick_failed", { reason: error instanceof Error ? error.message : String(error) });
      }
    } while (onceMore);
    inFlight = false; // in the same turn as the check above: no kick can fall between them
  }

  return () => {
    if (inFlight) {
      onceMore = true;
      return;
    }
    inFlight = true;
    background(run());
  };
}
