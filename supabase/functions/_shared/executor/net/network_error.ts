import { ExecutorError } from "../error.ts";

const REASONS: readonly (readonly [pattern: RegExp, reason: string])[] = [
  [/not HTTP|HPE_|invalid HTTP|parse error/i, "the answer is not HTTP"],
  [/refused/i, "the connection was refused"],
  [/dns error|lookup|resolve|ENOTFOUND/i, "its host name cannot be resolved"],
  [
    /certificate|InvalidContentType|handshake|tls|ssl/i,
    "the TLS connection failed",
  ],
  [/timed out|ETIMEDOUT/i, "the connection timed out"],
  [/unreachable|ENETUNREACH|EHOSTUNREACH/i, "its network is unreachable"],
  [/blocked/i, "its port is blocked"],
  [
    /reset|closed|ECONNRESET|EPIPE|hang up|incomplete|body/i,
    "the connection broke off",
  ],
];

/**
 * Turns a failed connection into `network`. The message names the origin only, as the rest of a
 * URL and the runtime's own words may hold what is not for others; the cause keeps them.
 */
export function networkError(url: URL, error: unknown): ExecutorError {
  const text = describe(error);
  const reason = REASONS.find(([pattern]) => pattern.test(text))?.[1] ??
    "the connection failed";
  return new ExecutorError(
    "network",
    `Cannot fetch from ${url.origin} as ${reason}`,
    {},
    {
      cause: error,
    },
  );
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // The request's own URL is cut out, so that its words are not taken for a reason.
  const own = `${"code" in error ? error.code : ""} ${error.message}`.replace(
    / for url \(.*?\)/,
    "",
  );
  return error.cause === undefined ? own : `${own} ${describe(error.cause)}`;
}
