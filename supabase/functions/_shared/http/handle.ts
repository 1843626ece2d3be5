import type { Log, LogFields } from "../log.ts";
import type { RequestRecord } from "../store/api_store.ts";
import { allowAnyOrigin, allowed, preflight } from "./cors.ts";
import { errorReply, toApiError } from "./error_reply.ts";
import { ApiError } from "./errors.ts";
import { requestIdOf, traceIdOf } from "./ids.ts";
import { findRoute, type Match, type Reply, type RequestContext, type Route } from "./router.ts";
import { describeCause } from "./describe_cause.ts";

/** A function: its name, its operations, and where its traces go. */
export interface HandleOptions {
  /** The function's name, which stands first in every path. */
  name: string;
  routes: readonly Route[];
  log: Log;
  /** Told of every request that has been answered; must not throw. */
  observe?: (record: RequestRecord) => void;
  /** Milliseconds on a clock that never jumps. */
  clock?: () => number;
}

/**
 * The shell around every operation: CORS, request and trace ids, routing, the one shape of errors,
 * one log line per request. The handler never throws.
 */
export function handle(options: HandleOptions): (request: Request) => Promise<Response> {
  const clock = options.clock ?? (() => performance.now());
  return async (request) => {
    const start = clock();
    const url = new URL(request.url);
    const match = findRoute(options.routes, options.name, request.method, url.pathname);
    const ids = { request_id: requestIdOf(request.headers), trace_id: traceIdOf(request.headers) };
    const fields: LogFields = {};
    const context: RequestContext = {
      request,
      params: match.route === null ? {} : match.params,
      query: url.searchParams,
      requestId: ids.request_id,
      traceId: ids.trace_id,
      log: options.log.with(ids),
      note: (field, value) => void (fields[field] = value),
    };
    const response = await respond(match, context);
    response.headers.set("x-request-id", context.requestId);
    allowAnyOrigin(response.headers);
    if (request.method === "OPTIONS") return response;

    const endpoint = match.route?.endpoint ?? options.name;
    const durationMs = Math.round((clock() - start) * 10) / 10;
    const record = { endpoint, method: request.method, status: response.status };
    const level = response.status >= 500 ? "error" : "info";
    context.log[level]("request", { ...record, duration_ms: durationMs, ...fields });
    options.observe?.({ ...record, duration_ms: durationMs });
    return response;
  };
}

async function respond(match: Match, context: RequestContext): Promise<Response> {
  try {
    if (match.route !== null) return toResponse(await match.route.run(context));
    if (context.request.method === "OPTIONS" && match.methods.length > 0) {
      return preflight(match.methods);
    }
    throw noRoute(match.methods);
  } catch (thrown) {
    const error = toApiError(thrown);
    context.note("error_code", error.code);
    if (error.status >= 500 || error.cause !== undefined) {
      context.note("cause", describeCause(error.cause, error.status === 500));
    }
    return toResponse(errorReply(error, context.requestId));
  }
}

function noRoute(methods: readonly string[]): ApiError {
  if (methods.length === 0) return new ApiError("not_found", "There is nothing at this path");
  return new ApiError(
    "method_not_allowed",
    `Cannot answer this method as it must be one of ${methods.join(", ")}`,
    { headers: { allow: allowed(methods) } },
  );
}

function toResponse(reply: Reply): Response {
  const { body } = reply;
  return new Response(body instanceof ReadableStream ? body : JSON.stringify(body), {
    status: reply.status,
    headers: {
      "content-type": "application/json; charset=utf-8",
      "cache-control": "no-store",
      ...reply.headers,
    },
  });
}
