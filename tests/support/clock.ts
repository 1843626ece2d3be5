import { findClock, installClock } from "../../local/clock/settle.ts";
import type { VirtualClock } from "../../local/clock/virtual_clock.ts";
import type { TestDatabase } from "./database.ts";

/**
 * The clock of a stack that was booted with `virtualClock`: `ownStack({ virtualClock: true })`.
 *
 * @throws Error where the engine runs on real time
 */
export async function clockOf(db: TestDatabase): Promise<VirtualClock> {
  const clock = await findClock(db);
  if (clock === undefined) throw new Error("The stack was not booted with virtualClock");
  return clock;
}

/**
 * Lets the engine of a private database run on a clock that can be moved, beginning with real time,
 * until the database is seeded anew. Nobody runs what becomes due there but the test itself.
 *
 * @throws Error in the database that tests share
 */
export async function useClock(db: TestDatabase): Promise<VirtualClock> {
  const [row] = await db`select current_database() <> 'postgres' as is_private`;
  if (!row?.is_private) throw new Error("The clock of others is not to be moved");
  const clock = await installClock(db);
  await db`update millrace_local.clock set ahead_ms = 0`;
  return clock;
}
