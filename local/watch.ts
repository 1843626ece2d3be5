import { relative } from "node:path";
import { applyMigrations } from "./database/migrations.ts";
import type { Stack } from "./stack.ts";

/** Editors write a file in several steps; they count as one change within this time. */
const SETTLE_MS = 100;

/**
 * Restarts functions when their files change (`_…` folders belong to all of them) and applies new
 * migrations, until disposed of.
 */
export function watchProject(
  stack: Stack,
  log: (source: string, line: string) => void,
): Disposable {
  const { functionsDir, migrationsDir } = stack.options;
  const watcher = Deno.watchFs([functionsDir, migrationsDir]);
  const changed = new Set<string>();
  let timer: ReturnType<typeof setTimeout> | undefined;

  const settle = async () => {
    const paths = [...changed];
    changed.clear();
    const names = new Set(paths.map((path) => firstFolder(functionsDir, path)));
    if (names.delete(undefined) && paths.some((path) => path.startsWith(migrationsDir))) {
      await migrate(stack, log);
    }
    if ([...names].some((name) => name?.startsWith("_"))) stack.retireFunction();
    else for (const name of names) stack.retireFunction(name);
  };
  const watch = async () => {
    for await (const { kind, paths } of watcher) {
      if (kind === "access") continue;
      for (const path of paths) changed.add(path);
      clearTimeout(timer);
      timer = setTimeout(() => void settle(), SETTLE_MS);
    }
  };
  void watch();
  return {
    [Symbol.dispose]() {
      clearTimeout(timer);
      watcher.close();
    },
  };
}

async function migrate(stack: Stack, log: (source: string, line: string) => void): Promise<void> {
  try {
    const applied = await applyMigrations(stack.dbUrl, stack.options.migrationsDir);
    for (const file of applied) log("stack", `Applied ${file}`);
  } catch (error) {
    log("stack", `Cannot apply ${error instanceof Error ? error.message : error}`);
  }
}

function firstFolder(root: string, path: string): string | undefined {
  const inside = relative(root, path);
  return inside.startsWith("..") ? undefined : inside.split(/[/\\]/)[0];
}
