import type { Log } from "../log.ts";
import type { RequestRecord } from "../store/api_store.ts";

/** What a recorder needs. */
export interface RequestRecorderOptions {
  write(records: readonly RequestRecord[]): Promise<void>;
  /** Keeps the process for the work. */
  background(work: Promise<void>): void;
  log: Log;
  /** How long records gather before they are written, in milliseconds. */
  gatherMs?: number;
  /** Most records that are kept; more are dropped, as measurements may be. */
  maxRecords?: number;
}

/**
 * Gathers response times and writes them in one call per while, in the background. The pause keeps
 * measuring out of the way of the job that the request has just started.
 */
export function createRequestRecorder(
  options: RequestRecorderOptions,
): (record: RequestRecord) => void {
  const { write, background, log, gatherMs = 1_000, maxRecords = 1_000 } = options;
  let gathered: RequestRecord[] = [];
  let running = false;

  async function run(): Promise<void> {
    while (gathered.length > 0) {
      await new Promise((resolve) => setTimeout(resolve, gatherMs));
      const records = gathered;
      gathered = [];
      try {
        await write(records);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        log.warn("request_records_lost", { records: records.length, reason });
      }
    }
    running = false; // in the same turn as the check above: no record can fall between them
  }

  return (record) => {
    if (gathered.length >= maxRecords) return;
    gathered.push(record);
    if (running) return;
    running = true;
    background(run());
  };
}
