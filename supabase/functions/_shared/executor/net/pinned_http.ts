import { request, type RequestOptions } from "node:http";
import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import type { Hop } from "./redirect.ts";

const WITHOUT_BODY: ReadonlySet<number> = new Set([101, 204, 205, 304]);

/**
 * Sends a plain `http:` request to the address that was checked, under the name in the URL.
 *
 * `fetch` would resolve the name once more, and a name server that answers differently the second
 * time (DNS rebinding) could lead it into the private network. Over TLS the certificate stands in
 * the way of that; here the connection has to be pinned. `node:http` is used because `fetch` does
 * not let a request set its `host`.
 *
 * @throws what the connection failed with, or the reason of `signal`.
 */
export async function fetchPinned(
  hop: Hop,
  address: string,
  signal: AbortSignal,
): Promise<Response> {
  signal.throwIfAborted();
  const headers: Record<string, string> = {
    // node:http does not decompress by itself.
    "accept-encoding": "identity",
    "accept": "*/*",
    ...Object.fromEntries(hop.headers),
    "host": hop.url.host,
  };
  const body = typeof hop.body === "string" ? new TextEncoder().encode(hop.body) : hop.body;
  if (body !== undefined) headers["content-length"] = String(body.byteLength);
  const message = await send(
    {
      host: address,
      port: hop.url.port === "" ? 80 : Number(hop.url.port),
      path: hop.url.pathname + hop.url.search,
      method: hop.method,
      headers,
      setHost: false,
      agent: false,
    },
    body,
    signal,
  );
  return toResponse(message, hop.method);
}

function send(
  options: RequestOptions,
  body: Uint8Array | undefined,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      reject(signal.reason);
      outgoing.destroy();
    };
    const outgoing = request(options, (incoming) => {
      // The signal goes on to guard the body, which is read after this.
      incoming.once("close", () => signal.removeEventListener("abort", abort));
      resolve(incoming);
    });
    outgoing.on("error", (error) => {
      signal.removeEventListener("abort", abort);
      reject(error);
    });
    signal.addEventListener("abort", abort, { once: true });
    outgoing.end(body);
  });
}

function toResponse(message: IncomingMessage, method: string): Response {
  const headers = new Headers();
  for (let at = 0; at + 1 < message.rawHeaders.length; at += 2) {
    headers.append(
      message.rawHeaders[at] ?? "",
      message.rawHeaders[at + 1] ?? "",
    );
  }
  const status = message.statusCode ?? 0;
  const init = { status, statusText: message.statusMessage ?? "", headers };
  if (WITHOUT_BODY.has(status) || method === "HEAD") {
    message.resume();
    return new Response(null, init);
  }
  const raw = Readable.toWeb(message) as ReadableStream<
    Uint8Array<ArrayBuffer>
  >;
  const encoding = headers.get("content-encoding")?.trim().toLowerCase();
  if (encoding !== "gzip" && encoding !== "deflate") {
    return new Response(raw, init);
  }
  headers.delete("content-encoding");
  headers.delete("content-length");
  return new Response(raw.pipeThrough(new DecompressionStream(encoding)), init);
}
