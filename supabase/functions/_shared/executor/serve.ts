import { ConfigError, type ReadVariable } from "../contracts/env.ts";
import { ApiError } from "../http/errors.ts";
import { isInternalCall } from "../http/internal_auth.ts";
import { createLog, type Log } from "../log.ts";
import { readBatch } from "./batch.ts";
import { type ExecutorEnv, readExecutorEnv } from "./env.ts";
import type { TaskHandler } from "./handler.ts";
import { errorResponse, HttpError, requestIdOf } from "./http_error.ts";
import { runBatch } from "./run_batch.ts";

/** What an executor may set about how it is served. */
export interface ServeOptions {
  /** Tasks of a batch that are under way at once; all of them by default. */
  concurrency?: number;
  /** Milliseconds without a result after which a blank line is sent; 10,000 by default. */
  keepAliveMs?: number;
  /** Reads environment variables; those of the process by default. */
  read?: ReadVariable;
  /** Where lines are written; a log of its own by default. */
  log?: Log;
}

/**
 * Makes an executor of a handler: the entry point of an `execute-*` function is
 * `export default { fetch: serveExecutor("execute-echo", handler) }`.
 *
 * It lets in calls with a secret key only, parses the batch, runs its tasks side by side, each
 * until its deadline, and streams one line per task as it ends. The handler only ever sees one
 * valid task, and its errors become results.
 */
export function serveExecutor(
  name: string,
  handler: TaskHandler,
  options: ServeOptions = {},
): (request: Request) => Promise<Response> {
  let setUp: { env: ExecutorEnv; log: Log } | undefined;
  return async (request) => {
    const requestId = requestIdOf(request);
    try {
      // On the first request, so that an unusable variable is an answer and not a crash at start.
      setUp ??= prepare(name, options);
      const { env, log } = setUp;
      if (!isInternalCall(request, options.read)) {
        throw new HttpError(
          401,
          "unauthorized",
          "Cannot run tasks without a secret key in apikey",
        );
      }
      if (request.method !== "POST") {
        throw new HttpError(
          405,
          "method_not_allowed",
          `Cannot run tasks by other methods than POST: current value is ${request.method}`,
          { headers: { allow: "POST" } },
        );
      }
      const tasks = await readBatch(request, env.maxBatchBytes);
      const body = await runBatch(tasks, {
        handler,
        log: log.with({ request_id: requestId }),
        logPayloads: env.logPayloads,
        maxPayloadBytes: env.maxPayloadBytes,
        stops: new Set(),
        concurrency: Math.max(1, options.concurrency ?? Infinity),
        keepAliveMs: options.keepAliveMs ?? 10_000,
      });
      return new Response(body, {
        headers: {
          "content-type": "application/x-ndjson",
          "x-request-id": requestId,
        },
      });
    } catch (error) {
      const log = setUp?.log ?? options.log ?? createLog({ function: name });
      return errorResponse(toHttpError(error, log, requestId), requestId);
    }
  };
}

function prepare(
  name: string,
  options: ServeOptions,
): { env: ExecutorEnv; log: Log } {
  const env = readExecutorEnv(options.read);
  return {
    env,
    log: options.log ?? createLog({ function: name }, { level: env.logLevel }),
  };
}

function toHttpError(error: unknown, log: Log, requestId: string): HttpError {
  if (error instanceof HttpError || error instanceof ApiError) {
    const { status, code, message, details, headers } = error;
    log.warn("request_refused", { request_id: requestId, status, code });
    return new HttpError(status, code, message, { details, headers });
  }
  log.error("request_failed", { request_id: requestId, error });
  return error instanceof ConfigError
    ? new HttpError(500, error.code, error.message)
    : new HttpError(500, "internal", "Cannot run the tasks: the function's log holds the error");
}
