import type { Log } from "../log.ts";

/** Why an orchestrator is kicked: a job is due, or a message waits for a job that one may hold. */
export type KickReason = "start" | "message";

/** What a kicker needs. */
export interface KickerOptions {
  /** Calls the orchestrator once; rejects when it could not be reached. */
  invoke(reason: KickReason): Promise<void>;
  /** Keeps the process for the work. */
  background(work: Promise<void>): void;
  log: Log;
}

/**
 * Fire and forget: the job is safe in the database, and `tick()` makes up for a kick that is lost.
 * While one is on its way further ones only mark "once more afterwards", so that a burst of starts
 * is no burst of invocations.
 */
export function createKicker(
  { invoke, background, log }: KickerOptions,
): (reason: KickReason) => void {
  let inFlight = false;
  let wanted: KickReason | null = null;

  async function run(): Promise<void> {
    while (wanted !== null) {
      const reason = wanted;
      wanted = null;
      try {
        await invoke(reason);
      } catch (error) {
        log.warn("kick_failed", { reason: error instanceof Error ? error.message : String(error) });
      }
    }
    inFlight = false; // in the same turn as the check above: no kick can fall between them
  }

  return (reason) => {
    // An orchestrator that looks for messages looks for jobs too.
    wanted = wanted === "message" ? wanted : reason;
    if (inFlight) return;
    inFlight = true;
    background(run());
  };
}
