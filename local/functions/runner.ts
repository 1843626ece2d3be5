// deno-lint-ignore-file no-console -- what this process writes is the function's log
// The process of one function. Runs under the function's own deno.json, so it imports nothing that
// would need an import map. Arguments: the function's entry point.
//
// It stops when asked to (SIGTERM) and when standard input ends, which is when the local stack was
// killed; requests under way and `waitUntil` work have a few seconds to finish. SIGHUP is for files
// that have changed: another process takes the new requests, this one may finish its own in peace.

/** Marks the line that tells the local stack which port this process serves. */
const READY = "\u0001listening ";
const STOP_LIMIT_MS = 5_000;
/** The longest that a function may run on Supabase. */
const RETIRE_LIMIT_MS = 400_000;

/** Answers that are under way and `waitUntil` work. */
const busy = new Set<Promise<unknown>>();
let server: Deno.HttpServer | undefined;
let stopping = false;
const serveForReal = Deno.serve.bind(Deno);

function keepBusy(work: Promise<unknown>, onError: (error: unknown) => void): void {
  const done = Promise.resolve(work).catch(onError).finally(() => busy.delete(done));
  busy.add(done);
}

function waitUntil<T>(work: Promise<T>): Promise<T> {
  keepBusy(work, (error) => console.error("Background work failed:", error));
  return work;
}

function serve(handler: Deno.ServeHandler, onError?: (error: unknown) => Response) {
  return server = serveForReal({
    hostname: "127.0.0.1",
    port: 0,
    onListen: ({ port }) => Deno.stdout.writeSync(new TextEncoder().encode(`${READY}${port}\n`)),
    onError: (error) => onError?.(error) ?? failed(error),
  }, (request, info) => {
    keepBusy(info.completed, () => {}); // the caller left: nobody to tell
    return handler(request, info);
  });
}

function failed(error: unknown): Response {
  console.error(error);
  return Response.json(
    { code: "WORKER_ERROR", message: "Function exited due to an error (please check logs)" },
    { status: 500 },
  );
}

async function stop(limitMs: number): Promise<void> {
  setTimeout(() => Deno.exit(1), limitMs);
  if (stopping) return;
  stopping = true;
  globalThis.dispatchEvent(
    new CustomEvent("beforeunload", { detail: { reason: "termination" } }),
  );
  // Before shutdown(), which cuts off requests that are still coming in: the gateway sends no new.
  while (busy.size > 0) await Promise.allSettled(busy);
  await server?.shutdown();
  Deno.exit(0);
}

async function stopWithParent(): Promise<void> {
  for await (const _ of Deno.stdin.readable);
  await stop(STOP_LIMIT_MS);
}

Deno.addSignalListener("SIGTERM", () => void stop(STOP_LIMIT_MS));
Deno.addSignalListener("SIGHUP", () => void stop(RETIRE_LIMIT_MS));
// Ctrl-C reaches the whole terminal; the local stack decides when its functions end.
Deno.addSignalListener("SIGINT", () => {});
void stopWithParent();

Object.assign(globalThis, { EdgeRuntime: { waitUntil } });
// As on Supabase, what a function asks of address and port does not count.
Object.defineProperty(Deno, "serve", {
  value: (first: Deno.ServeHandler | Deno.ServeInit, second?: Deno.ServeHandler) => {
    if (typeof first === "function") return serve(first);
    const { handler = second, onError } = first as Deno.ServeInit & Deno.ServeTcpOptions;
    if (handler === undefined) throw new TypeError("Deno.serve needs a handler");
    return serve(handler, onError as ((error: unknown) => Response) | undefined);
  },
});

const entry = await import(Deno.args[0] ?? "");
if (server === undefined) {
  if (typeof entry.default?.fetch !== "function") {
    console.error("A function must `export default { fetch }` or call Deno.serve");
    Deno.exit(1);
  }
  serve((request, info) => entry.default.fetch(request, info));
}
