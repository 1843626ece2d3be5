/**
 * Any origin may call: callers show a bearer token that a browser never adds by itself, so there is
 * nothing that another site could ride on.
 */
const ANY_ORIGIN = {
  "access-control-allow-origin": "*",
  "access-control-expose-headers": "x-request-id, retry-after, location",
} as const;

/** Adds what lets a browser read the response. */
export function allowAnyOrigin(headers: Headers): void {
  for (const [name, value] of Object.entries(ANY_ORIGIN)) headers.set(name, value);
}

/** The answer to `OPTIONS`: what a browser may send to this path. */
export function preflight(methods: readonly string[]): Response {
  return new Response(null, {
    status: 204,
    headers: {
      "allow": allowed(methods),
      "access-control-allow-methods": allowed(methods),
      "access-control-allow-headers":
        "authorization, apikey, content-type, last-event-id, x-client-info, x-request-id, traceparent, tracestate",
      "access-control-max-age": "86400",
    },
  });
}

/** The value of an `Allow` header. */
export function allowed(methods: readonly string[]): string {
  return [...methods, "OPTIONS"].join(", ");
}
