// deno-lint-ignore-file no-console -- what this process writes is the function's log
// The process of one function. Runs under the function's own deno.json, so it imports nothing that
// would need an import map. Arguments: the function's entry point.
//
// It stops when asked to (SIGTERM) and when standard input ends, which is when the local stack was
// killed: requests under way and `waitUntil` work are finished first, within limits.

/** Marks the line that tells the local stack which port this process serves. */
const READY = "\u0001listening ";
const STOP_LIMIT_MS = 5_000;

const background = new Set<Promise<unknown>>();
let server: Deno.HttpServer | undefined;
const serveForReal = Deno.serve.bind(Deno);

function waitUntil<T>(work: Promise<T>): Promise<T> {
  const done = Promise.resolve(work)
    .catch((error) => console.error("Background work failed:", error))
    .finally(() => background.delete(done));
  background.add(done);
  return work;
}

function serve(
  handler: Deno.ServeHandler,
  onError?: (error: unknown) => Response,
): Deno.HttpServer {
  server = serveForReal({
    hostname: "127.0.0.1",
    port: 0,
    onListen: ({ port }) => Deno.stdout.writeSync(new TextEncoder().encode(`${READY}${port}\n`)),
    onError: (error) => onError?.(error) ?? failed(error),
  }, handler);
  return server;
}

function failed(error: unknown): Response {
  console.error(error);
  return Response.json(
    { code: "WORKER_ERROR", message: "Function exited due to an error (please check logs)" },
    { status: 500 },
  );
}

async function stop(): Promise<void> {
  globalThis.dispatchEvent(
    new CustomEvent("beforeunload", { detail: { reason: "termination" } }),
  );
  setTimeout(() => Deno.exit(1), STOP_LIMIT_MS);
  await server?.shutdown();
  while (background.size > 0) await Promise.allSettled(background);
  Deno.exit(0);
}

async function stopWithParent(): Promise<void> {
  for await (const _ of Deno.stdin.readable);
  await stop();
}

Deno.addSignalListener("SIGTERM", () => void stop());
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
