import { existsSync } from "node:fs";
import { relative } from "node:path";
import { migrate } from "./services.ts";
import type { Stack } from "./stack.ts";

/** Editors write a file in several steps; they count as one change within this time. */
const SETTLE_MS = 100;

/**
 * Restarts functions when their files change (`_…` folders belong to all of them) and applies new
 * migrations, until disposed of.
 */
export function watchProject(stack: Stack): Disposable {
  const { functionsDir, migrationsDir, log } = stack.options;
  const watcher = Deno.watchFs([functionsDir, migrationsDir].filter((path) => existsSync(path)));
  const changed = new Set<string>();
  let timer: ReturnType<typeof setTimeout> | undefined;

  const settle = async () => {
    const paths = [...changed];
    changed.clear();
    const folders = new Set(paths.flatMap((path) => firstFolder(functionsDir, path) ?? []));
    const isShared = [...folders].some((name) => name.startsWith("_"));
    if (isShared) stack.retireFunction();
    else for (const name of folders) stack.retireFunction(name);

    if (paths.some((path) => firstFolder(migrationsDir, path) !== undefined)) {
      await migrate(stack.options).catch((error) => log("stack", `Cannot apply ${error.message}`));
    }
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

/** First part of the path from `root` to `path`; `undefined` when it is not inside. */
function firstFolder(root: string, path: string): string | undefined {
  const inside = relative(root, path);
  return inside.startsWith("..") ? undefined : inside.split(/[/\\]/)[0];
}
