import { ByteReader } from "./byte_reader.ts";
import { encodeRequest, framingOf, type Head, readBody, readHead } from "./http1.ts";
import type { Hop } from "./redirect.ts";

const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

/**
 * Sends a plain `http:` request to the address that was checked, under the name in the URL.
 *
 * `fetch` would resolve the name once more, and a name server that answers differently the second
 * time (DNS rebinding) could lead it into the private network. Over TLS the certificate stands in
 * the way of that; here the connection has to be pinned. `fetch` lets no request set its `host`,
 * and where Supabase runs functions a connection that breaks off takes a process down that uses
 * `node:http`: hence HTTP/1.1 over a plain socket.
 *
 * @throws what the connection failed with, or the reason of `signal`.
 */
export async function fetchPinned(
  hop: Hop,
  address: string,
  signal: AbortSignal,
): Promise<Response> {
  const request = encodeRequest(hop);
  const connection = await connect(address, hop.url.port, signal);
  const close = closeOnce(connection, signal);
  try {
    for (let sent = 0; sent < request.length;) {
      sent += await connection.write(request.subarray(sent));
    }
    const reader = new ByteReader(connection);
    const head = await readHead(reader);
    if (hop.method === "HEAD" || WITHOUT_BODY.has(head.status)) {
      close();
      return toResponse(null, head);
    }
    return toResponse(bodyStream(readBody(reader, framingOf(head)), close, signal), head);
  } catch (error) {
    close();
    signal.throwIfAborted();
    throw error;
  }
}

async function connect(
  hostname: string,
  port: string,
  signal: AbortSignal,
): Promise<Deno.TcpConn> {
  signal.throwIfAborted();
  const connecting = Deno.connect({ hostname, port: port === "" ? 80 : Number(port) });
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([connecting, aborted.promise]);
  } catch (error) {
    // Nobody waits for it any more: what still connects is closed, what fails has been reported.
    connecting.then((late) => late.close(), () => {});
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** Closes the connection when called, and by itself when the signal is aborted. */
function closeOnce(connection: Deno.TcpConn, signal: AbortSignal): () => void {
  let open = true;
  const close = () => {
    signal.removeEventListener("abort", close);
    if (open) connection.close();
    open = false;
  };
  signal.addEventListener("abort", close, { once: true });
  return close;
}

function bodyStream(
  pieces: AsyncGenerator<Uint8Array<ArrayBuffer>, void>,
  close: () => void,
  signal: AbortSignal,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await pieces.next();
        if (value !== undefined) return controller.enqueue(value);
        if (done) controller.close();
        close();
      } catch (error) {
        close();
        controller.error(signal.aborted ? signal.reason : error);
      }
    },
    cancel: close,
  }, { highWaterMark: 0 });
}

function toResponse(
  body: ReadableStream<Uint8Array<ArrayBuffer>> | null,
  { status, statusText, headers }: Head,
): Response {
  const encoding = headers.get("content-encoding")?.trim().toLowerCase();
  if (body === null || (encoding !== "gzip" && encoding !== "deflate")) {
    return new Response(body, { status, statusText, headers });
  }
  // Some servers compress although nobody asked for it.
  headers.delete("content-encoding");
  headers.delete("content-length");
  const plain = body.pipeThrough(new DecompressionStream(encoding));
  return new Response(plain, { status, statusText, headers });
}
