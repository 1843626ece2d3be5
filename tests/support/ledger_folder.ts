import { join } from "node:path";

/** The one folder where functions may write. */
const PLACE = "/tmp";
const PREFIX = "millrace-test-";
const TOO_YOUNG_TO_CLEAN_MS = 10_000;

/** Makes a folder for the ledger of this process, and removes those of processes that were killed. */
export async function createLedgerFolder(): Promise<string> {
  for await (const { name } of Deno.readDir(PLACE)) {
    if (name.startsWith(PREFIX)) await removeIfAbandoned(join(PLACE, name));
  }
  const folder = await Deno.makeTempDir({ dir: PLACE, prefix: PREFIX });
  const lock = await Deno.create(join(folder, "lock"));
  await lock.lock(true); // until this process ends
  return folder;
}

async function removeIfAbandoned(folder: string): Promise<void> {
  try {
    const { birthtime, mtime } = await Deno.stat(folder);
    const age = Date.now() - (birthtime ?? mtime ?? new Date()).getTime();
    if (age < TOO_YOUNG_TO_CLEAN_MS) return; // may be about to take its lock
    using lock = await Deno.open(join(folder, "lock"), { write: true, create: true });
    if (await lock.tryLock(true)) await Deno.remove(folder, { recursive: true });
  } catch (error) {
    // Its own process, or another that cleans up, removes it right now; or it is another account's.
    const passing = [Deno.errors.NotFound, Deno.errors.PermissionDenied];
    if (!passing.some((kind) => error instanceof kind)) throw error;
  }
}
