import { ExecutorError } from "../error.ts";

/** One request of a chain of redirects. A body is text or bytes, so that it can be sent again. */
export interface Hop {
  url: URL;
  method: string;
  headers: Headers;
  body?: string | Uint8Array<ArrayBuffer> | undefined;
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const ALWAYS_SECRET = [
  "authorization",
  "cookie",
  "proxy-authorization",
  "apikey",
  "x-api-key",
];
const OF_THE_BODY = [
  "content-encoding",
  "content-language",
  "content-length",
  "content-location",
];

/** Where a response sends its client, or `null` when it is not a redirect. */
export function redirectLocation(response: Response): string | null {
  return REDIRECTS.has(response.status) ? response.headers.get("location") : null;
}

/**
 * Makes the request that follows a redirect, as the fetch standard says: 303 (and 301 or 302
 * after a POST) goes on as GET without the body; 307 and 308 repeat it. A redirect to another
 * origin loses the secret headers.
 *
 * @throws {ExecutorError} `http.url_refused` when the location is not a URL.
 */
export function nextHop(
  hop: Hop,
  status: number,
  location: string,
  secretHeaders: readonly string[] = [],
): Hop {
  const url = resolveLocation(location, hop.url);
  const headers = new Headers(hop.headers);
  if (url.origin !== hop.url.origin) {
    for (const name of [...ALWAYS_SECRET, ...secretHeaders]) {
      headers.delete(name);
    }
  }
  if (!becomesGet(status, hop.method)) {
    return { url, method: hop.method, headers, body: hop.body };
  }
  for (const name of ["content-type", ...OF_THE_BODY]) headers.delete(name);
  return { url, method: "GET", headers };
}

function resolveLocation(location: string, base: URL): URL {
  try {
    const url = new URL(location, base);
    if (url.hash === "") url.hash = base.hash;
    return url;
  } catch (cause) {
    throw new ExecutorError(
      "http.url_refused",
      "Cannot follow a redirect as its Location is not a URL",
      {},
      { cause },
    );
  }
}

function becomesGet(status: number, method: string): boolean {
  if (status === 303) return method !== "GET" && method !== "HEAD";
  return (status === 301 || status === 302) && method === "POST";
}
