import assert from "node:assert/strict";
import { ExecutorError } from "../../../../../supabase/functions/_shared/executor/error.ts";

/** Runs a server on this machine while `use` runs. */
export async function withServer(
  handler: (request: Request) => Response | Promise<Response>,
  use: (origin: string, port: number) => Promise<void>,
) {
  const stop = new AbortController();
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", signal: stop.signal, onListen: () => {} },
    handler,
  );
  try {
    await use(`http://127.0.0.1:${server.addr.port}`, server.addr.port);
  } finally {
    stop.abort();
    await server.finished;
  }
}

/** For `assert.rejects`: an ExecutorError of this code whose message fits. */
export function withCode(code: string, words = /./) {
  return (error: unknown) => {
    assert.ok(error instanceof ExecutorError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, words);
    return true;
  };
}

/** Answers with the request that it got. */
export const echo = async (request: Request) =>
  Response.json({
    method: request.method,
    path: new URL(request.url).pathname,
    headers: Object.fromEntries(request.headers),
    body: await request.text(),
  });
