interface EdgeRuntime {
  waitUntil(promise: Promise<unknown>): void;
}

/**
 * Lets work go on after the response: the platform keeps the worker until it is done. Where there
 * is no such platform (a unit test, plain Deno) the process itself lives long enough.
 */
export function inBackground(work: Promise<unknown>): void {
  const runtime = (globalThis as { EdgeRuntime?: EdgeRuntime }).EdgeRuntime;
  runtime?.waitUntil(work);
}
