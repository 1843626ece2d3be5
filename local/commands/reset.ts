import { join } from "node:path";
import { StackError } from "../error.ts";
import { removeIfExists } from "../files.ts";
import { findHome } from "../place.ts";
import { PROJECT, startStack } from "../stack.ts";
import { DataLock } from "../state.ts";
import { readArguments } from "./arguments.ts";
import { findProjectStack } from "./status.ts";
import { say } from "./say.ts";

/** What `deno task reset --help` prints. */
export const USAGE = `Usage: deno task reset

Drops all data of the local stack and applies the migrations anew, whether it runs or not. Keys and
addresses stay.`;

/** `deno task reset`: drops the data and applies all migrations anew. Keys and addresses stay. */
export async function reset(args: string[]): Promise<number> {
  readArguments(args, {});
  const running = await findProjectStack();
  if (running !== undefined) {
    const response = await fetch(`${running.api_url}/_local/reset`, {
      method: "POST",
      headers: { apikey: running.secret_key },
    });
    if (!response.ok) throw new StackError(await response.text());
  } else {
    const folder = join(await findHome(PROJECT), "data");
    await Deno.mkdir(folder, { recursive: true });
    const lock = await DataLock.take(folder);
    await removeIfExists(join(folder, "pgdata"));
    await lock.release();
    const stack = await startStack({ cron: false });
    await stack.stop();
  }
  say("The data were dropped and all migrations applied");
  return 0;
}
