import type { ReadVariable } from "../_shared/contracts/env.ts";
import { ExecutorError } from "../_shared/executor/error.ts";
import type { TaskHandler } from "../_shared/executor/handler.ts";
import { readBytes, readUpTo } from "../_shared/executor/net/body.ts";
import { guardedFetch } from "../_shared/executor/net/fetch.ts";
import { privateNetworkAllowed } from "../_shared/executor/net/guard.ts";
import { type HttpConfig, readConfig } from "./config.ts";
import { buildRequest, type HttpRequest } from "./request.ts";
import { excerpt, parseBody } from "./response.ts";
import { isExpected, statusError } from "./status.ts";

/** Bytes of an error's body that are read for its excerpt. */
const EXCERPT_BYTES = 4_096;

/** Does tasks of the types `http_request`, `http_download` and `webhook_call`. */
export const callHttp: TaskHandler = makeHandler((name) => Deno.env.get(name));

/**
 * Makes the handler: config and input become one request, the request a response, and the
 * response the output `{status, headers, body, body_encoding, url, duration_ms}`, which for
 * `http_download` also has `content_type` and `size_bytes`. Cookies that a server sets are not in
 * it, as outputs are kept and shown.
 */
export function makeHandler(read: ReadVariable): TaskHandler {
  return async (task, { signal }) => {
    const config = readConfig(task);
    const request = await buildRequest(task, config, read);
    signal.throwIfAborted();
    const stop = new AbortController();
    const giveUp = () => stop.abort(signal.reason);
    signal.addEventListener("abort", giveUp, { once: true });
    const timer = setTimeout(
      () => stop.abort(tooSlow(request, config)),
      config.timeout_seconds * 1000,
    );
    try {
      return await exchange(request, config, stop.signal, privateNetworkAllowed({ get: read }));
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", giveUp);
    }
  };
}

/** What everything under way fails with once the config's own time limit has passed. */
function tooSlow(request: HttpRequest, config: HttpConfig): ExecutorError {
  return new ExecutorError(
    "timeout",
    `${request.url.origin} did not answer in full within ${config.timeout_seconds} s, ` +
      "the config's timeout_seconds",
  );
}

async function exchange(
  request: HttpRequest,
  config: HttpConfig,
  signal: AbortSignal,
  allowPrivate: boolean,
): Promise<unknown> {
  const startedAt = performance.now();
  const { response, url } = await guardedFetch(request.url, request, {
    allowPrivate,
    signal,
    maxRedirects: config.max_redirects,
    secretHeaders: request.secretHeaders,
  });
  if (!isExpected(response.status, config.expected_status)) {
    const { bytes } = await readUpTo(response, { maxBytes: EXCERPT_BYTES, url, signal });
    throw statusError(response, excerpt(bytes, request.secrets), url.origin, Date.now());
  }
  const bytes = await readBytes(response, { maxBytes: config.max_response_bytes, url, signal });
  const contentType = response.headers.get("content-type") ?? "";
  const bodiless = response.status === 204 || request.method === "HEAD";
  const headers = Object.fromEntries(response.headers);
  delete headers["set-cookie"];
  return {
    status: response.status,
    headers,
    ...parseBody(bytes, config.response_type, { contentType, url, bodiless }),
    url: url.href,
    ...(config.type === "http_download"
      ? { content_type: contentType, size_bytes: bytes.byteLength }
      : {}),
    duration_ms: Math.round(performance.now() - startedAt),
  };
}
