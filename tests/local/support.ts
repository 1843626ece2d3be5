import { fileURLToPath } from "node:url";
import { type Stack, type StackOptions, startStack } from "../../local/stack.ts";

/** Folder with a small project: migrations, functions and a config.toml. */
export const FIXTURES = fileURLToPath(new URL("./fixtures", import.meta.url));

/** Boots a throw-away stack on the fixtures; `await using` stops it. */
export async function bootFixtures(options: StackOptions = {}): Promise<Stack & AsyncDisposable> {
  const stack = await startStack({
    fresh: true,
    cron: false,
    functionsDir: `${FIXTURES}/functions`,
    migrationsDir: `${FIXTURES}/migrations`,
    configFile: `${FIXTURES}/config.toml`,
    ...options,
  });
  return Object.assign(stack, { [Symbol.asyncDispose]: () => stack.stop() });
}

const LIMIT_MS = 120_000;

/** Calls `look` until it returns something other than `undefined`. @throws after two minutes */
export async function eventually<T>(look: () => Promise<T | undefined>): Promise<T> {
  const end = performance.now() + LIMIT_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > end) throw new Error(`It did not happen within ${LIMIT_MS / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
