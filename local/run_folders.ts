import { join } from "node:path";
import { exists, removeIfExists } from "./files.ts";
import { stopOrphan } from "./postgres/server.ts";

const TOO_YOUNG_TO_CLEAN_MS = 10_000;

/** Makes a folder for data that nobody wants to keep, and removes what killed stacks have left. */
export async function createRunFolder(home: string): Promise<string> {
  const folder = join(home, "run");
  await Deno.mkdir(folder, { recursive: true });
  for await (const { name } of Deno.readDir(folder)) await removeIfAbandoned(join(folder, name));
  const created = await Deno.makeTempDir({ dir: folder, prefix: "" });
  await Deno.chmod(created, 0o755); // Postgres may run as another account
  return created;
}

async function removeIfAbandoned(folder: string): Promise<void> {
  const lock = join(folder, "lock");
  try {
    if (!await exists(lock)) return;
    const age = Date.now() - ((await Deno.stat(folder)).birthtime?.getTime() ?? 0);
    if (age < TOO_YOUNG_TO_CLEAN_MS) return; // may be about to take its lock
    const file = await Deno.open(lock, { write: true });
    try {
      if (!await file.tryLock(true)) return;
      await stopOrphan(join(folder, "pgdata"));
      await removeIfExists(folder);
    } finally {
      file.close();
    }
  } catch (error) {
    // Its own stack removes it right now.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
