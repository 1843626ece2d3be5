import { reasonOf } from "../error.ts";

/** A request that takes longer to begin its answer is given up, as on Supabase. */
const IDLE_LIMIT_MS = 150_000;
/** They are between two neighbours on the wire, and no part of the message. */
const HOP_BY_HOP = ["connection", "keep-alive", "transfer-encoding", "te", "expect", "upgrade"];

/**
 * Passes a request on to a function at `url` and its answer back, both as streams. `completed` is
 * rejected when the caller leaves before it has the whole answer.
 */
export async function forward(
  request: Request,
  url: string,
  client: Deno.HttpClient,
  completed: Promise<void>,
): Promise<Response> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort("idle"), IDLE_LIMIT_MS);
  completed.catch(() => abort.abort("caller left"));
  const headers = new Headers(request.headers);
  for (const name of HOP_BY_HOP) headers.delete(name);
  headers.set("accept-encoding", "identity"); // compression gains nothing on one machine
  try {
    return await fetch(url, {
      method: request.method,
      headers,
      body: request.body,
      redirect: "manual",
      signal: abort.signal,
      client,
    });
  } catch (error) {
    if (abort.signal.reason === "idle") {
      return failure(504, "IDLE_TIMEOUT", "Request idle timeout limit reached");
    }
    return failure(502, "WORKER_ERROR", `Function did not answer: ${reasonOf(error)}`);
  } finally {
    clearTimeout(timer);
  }
}

/** An answer that comes from the gateway as the function gave none. */
export function failure(status: number, code: string, message: string): Response {
  return Response.json({ code, message }, {
    status,
    headers: { "access-control-allow-origin": "*" },
  });
}
