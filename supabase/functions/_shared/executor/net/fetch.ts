import { ExecutorError } from "../error.ts";
import { checkUrl, type GuardOptions, privateNetworkAllowed } from "./guard.ts";
import { networkError } from "./network_error.ts";
import { fetchPinned } from "./pinned_http.ts";
import { type Hop, nextHop, redirectLocation } from "./redirect.ts";

/**
 * Headers of the connection, which a request does not set (they are dropped): a second length
 * could smuggle in a second request.
 */
export const CONNECTION_HEADERS: readonly string[] = [
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

/** What to send; a body is text or bytes, so that a redirect can send it again. */
export interface GuardedRequest {
  method?: string;
  headers?: HeadersInit;
  body?: string | Uint8Array<ArrayBuffer> | undefined;
}

/** How {@link guardedFetch} goes about it. */
export interface GuardedFetchOptions extends Partial<GuardOptions> {
  /** Ends the request, and the reading of the response's body. */
  signal?: AbortSignal;
  /** Redirects to follow before giving up, 5 by default; 0 hands a redirect back as it is. */
  maxRedirects?: number;
  /** Headers, beside the usual ones, that must not go to another origin. */
  secretHeaders?: readonly string[];
}

/** A response, and where it came from once redirects were followed. */
export interface GuardedResponse {
  response: Response;
  url: URL;
  redirects: number;
}

/**
 * Fetches a URL that a user wrote, so that it cannot reach the private network.
 *
 * Every hop is checked by `checkUrl` (scheme, credentials, all addresses of the host) before it
 * is connected to, redirects included. Between the check and the connection a hostile name server
 * could change its answer (DNS rebinding): plain http is therefore sent to the address that was
 * checked, and https is left to the certificate, which a private service cannot show for the
 * attacker's name. `allowPrivate` (by default: `HTTP_ALLOW_PRIVATE_NETWORK=true`) switches the
 * address check off; scheme and credentials are still checked. Behind an HTTP proxy the proxy
 * connects, and has to keep guard itself.
 *
 * The response's body is not limited here: read it with `readBytes`.
 *
 * @throws {ExecutorError} `http.url_refused`, `http.too_many_redirects`, `network`.
 * @throws the signal's reason once it is aborted.
 */
export async function guardedFetch(
  url: string | URL,
  init: GuardedRequest = {},
  options: GuardedFetchOptions = {},
): Promise<GuardedResponse> {
  const guard: GuardOptions = {
    allowPrivate: options.allowPrivate ?? privateNetworkAllowed(),
    ...(options.resolve === undefined ? {} : { resolve: options.resolve }),
  };
  const signal = options.signal ?? new AbortController().signal;
  const limit = options.maxRedirects ?? 5;
  const headers = new Headers(init.headers);
  for (const name of CONNECTION_HEADERS) headers.delete(name);
  let target = await checkUrl(url, guard);
  let hop: Hop = {
    url: target.url,
    method: (init.method ?? "GET").toUpperCase(),
    headers,
    body: init.body,
  };
  for (let redirects = 0;; redirects++) {
    signal.throwIfAborted();
    const response = await send(hop, target.address, signal);
    const location = limit === 0 ? null : redirectLocation(response);
    if (location === null) return { response, url: hop.url, redirects };
    await response.body?.cancel();
    if (redirects >= limit) {
      throw new ExecutorError(
        "http.too_many_redirects",
        `Cannot follow more than ${limit} redirects`,
        { details: { status: response.status } },
      );
    }
    hop = nextHop(hop, response.status, location, options.secretHeaders);
    target = await checkUrl(hop.url, guard);
  }
}

async function send(
  hop: Hop,
  address: string | undefined,
  signal: AbortSignal,
): Promise<Response> {
  try {
    if (hop.url.protocol === "http:" && address !== undefined) {
      return await fetchPinned(hop, address, signal);
    }
    const { url, method, headers, body } = hop;
    return await fetch(url, {
      method,
      headers,
      body: body ?? null,
      redirect: "manual",
      signal,
    });
  } catch (error) {
    signal.throwIfAborted();
    throw networkError(hop.url, error);
  }
}
