import postgres, { type Sql } from "postgres";
import { StackError } from "../error.ts";
import { formatDuration } from "./duration.ts";
import { VirtualClock } from "./virtual_clock.ts";

const SCRIPT = new URL("./clock.sql", import.meta.url);

/** Lets the engine of a database run on a clock that can be moved. Once more changes nothing. */
export async function installClock(db: Sql): Promise<VirtualClock> {
  await db.unsafe(await Deno.readTextFile(SCRIPT)).simple();
  return new VirtualClock(db);
}

/** The clock of a database; `undefined` where the engine runs on real time. */
export async function findClock(db: Sql): Promise<VirtualClock | undefined> {
  const [row] = await db`select to_regclass('millrace_local.clock') is not null as found`;
  return row?.found ? new VirtualClock(db) : undefined;
}

/**
 * Gives a database the clock that its stack is to have. One that was moved stays, wanted or not:
 * for the data that were written by it time would go backwards.
 *
 * @throws StackError when the project's migrations make no `millrace.now()`
 */
export async function settleClock(
  databaseUrl: string,
  wanted: boolean,
  log: (line: string) => void,
): Promise<void> {
  const db = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  try {
    const known = await findClock(db);
    const aheadMs = await known?.aheadMs() ?? 0;
    if (!wanted && known !== undefined && aheadMs === 0) return await removeClock(db);
    if (!wanted && known === undefined) return;
    const [row] = await db`select to_regprocedure('millrace.now()') is not null as found`;
    if (!row?.found) {
      throw new StackError("There is no clock to move: the migrations make no millrace.now()");
    }
    await installClock(db);
    if (!wanted) {
      log(
        `The clock of these data is ${formatDuration(aheadMs)} ahead of real time, ` +
          "as it was moved; `deno task reset` drops both",
      );
    }
  } finally {
    await db.end();
  }
}

async function removeClock(db: Sql): Promise<void> {
  await db.begin(async (run) => {
    const [row] = await run`select real_clock from millrace_local.clock`;
    await run.unsafe(row?.real_clock);
    await run`drop schema millrace_local cascade`;
  });
}
