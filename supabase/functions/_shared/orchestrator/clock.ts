/** The clocks of a run: the database's, which alone decides, and the passing of time here. */
export interface Clock {
  /** The database's time as well as it is known here, in ms since 1970. */
  now(): number;
  /** Sets it by an answer of the database (RFC 3339), which is at most as old as the answer took. */
  sync(databaseNow: string): void;
  /** Ms since some moment; never jumps, whatever happens to the database's clock. */
  elapsed(): number;
}

/** Answers take time to travel: steps back of less than this are theirs, and are waited out. */
const MAX_TRAVEL_MS = 1_000;

/** @param local a monotonic source, in ms */
export function createClock(local: () => number, startAt: number): Clock {
  let offset = startAt - local();
  let latest = -Infinity;
  return {
    now: () => latest = Math.max(latest, Math.floor(local() + offset)),
    sync: (databaseNow) => {
      const time = Date.parse(databaseNow);
      if (!Number.isFinite(time)) return;
      offset = time - local();
      if (time < latest - MAX_TRAVEL_MS) latest = -Infinity;
    },
    elapsed: local,
  };
}
