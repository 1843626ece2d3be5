import { say } from "./say.ts";
import { closingLine, readClosingLine, type Tally } from "./tally.ts";

/** Names a file for the tally, set by a run that adds up those of the runs it starts. */
const TALLY_FILE = "MILLRACE_TALLY_FILE";

/** Says how a run ended, in its closing line or to the run that started it. */
export async function finish(tally: Tally): Promise<void> {
  const file = Deno.env.get(TALLY_FILE);
  if (file === undefined) say(closingLine(tally));
  else await Deno.writeTextFile(file, `${closingLine(tally)}\n`);
}

/**
 * The tally of a run that is started with these variables: as it says by {@link finish}, or one
 * check that passed or failed where it says nothing.
 */
export async function tallyOf(
  start: (env: Record<string, string>) => Promise<{ code: number }>,
): Promise<Tally> {
  const file = await Deno.makeTempFile({ prefix: "millrace-tally-" });
  try {
    const { code } = await start({ [TALLY_FILE]: file });
    const tally = readClosingLine(await Deno.readTextFile(file));
    if (code === 0) return tally ?? { passed: 1, failed: 0, skipped: 0 };
    const failed = Math.max(tally?.failed ?? 0, 1);
    return { passed: 0, skipped: 0, ...tally, failed };
  } finally {
    await Deno.remove(file);
  }
}
