/** A clock that follows the database's, which is the only one that decides. */
export interface Clock {
  /** The database's time as well as it is known here, in ms since 1970; never goes back. */
  now(): number;
  /** Sets it by an answer of the database (RFC 3339), which is at most as old as the answer took. */
  sync(databaseNow: string): void;
}

/** @param local a monotonic source, in ms */
export function createClock(local: () => number, startAt: number): Clock {
  let offset = startAt - local();
  let latest = -Infinity;
  return {
    now: () => latest = Math.max(latest, Math.floor(local() + offset)),
    sync: (databaseNow) => {
      const time = Date.parse(databaseNow);
      if (Number.isFinite(time)) offset = time - local();
    },
  };
}
