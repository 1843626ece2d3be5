import { ConfigError, readPlatformEnv, type ReadVariable } from "../contracts/env.ts";
import { errorResponse, HttpError, requestIdOf } from "../executor/http_error.ts";
import { inBackground } from "../http/background.ts";
import { isInternalCall } from "../http/internal_auth.ts";
import { createLog, type Log } from "../log.ts";
import { createServiceClient } from "../store/client.ts";
import { createEngineStore } from "../store/engine_store.ts";
import { Catalog } from "./catalog.ts";
import { createClock } from "./clock.ts";
import { readOrchestratorConfig } from "./config.ts";
import { createHttpDispatcher } from "./http_dispatcher.ts";
import { Run } from "./run.ts";
import { Scopes } from "./scopes.ts";
import { OrchestratorService } from "./service.ts";

/** Time limit of one call of the database, in ms: above its own statement timeout. */
const STORE_TIMEOUT_MS = 15_000;

/**
 * Makes the orchestrator's entry point. A POST with a secret key answers `202` at once and works
 * on in the background; with `?wait=true` it answers `200` with the run's summary when it is done.
 */
export function serveOrchestrator(
  name: string,
  read?: ReadVariable,
): (request: Request) => Promise<Response> {
  let parts: { service: OrchestratorService; log: Log } | undefined;
  return async (request) => {
    const requestId = requestIdOf(request);
    try {
      if (!isInternalCall(request, read)) {
        throw new HttpError(401, "unauthorized", "Cannot run jobs without a secret key in apikey");
      }
      if (request.method !== "POST") {
        throw new HttpError(405, "method_not_allowed", "Cannot kick by other methods than POST", {
          headers: { allow: "POST" },
        });
      }
      parts ??= prepare(name, read);
      return await answer(request, requestId, parts);
    } catch (error) {
      const log = parts?.log ?? createLog({ function: name });
      return errorResponse(toHttpError(error, log), requestId);
    }
  };
}

async function answer(
  request: Request,
  requestId: string,
  { service, log }: { service: OrchestratorService; log: Log },
): Promise<Response> {
  const headers = { "x-request-id": requestId };
  const { joined, done } = service.kick(await reasonOf(request));
  if (!joined) {
    inBackground(done.then(
      (summary) => log.info("run_ended", { ...summary }),
      (error: unknown) => log.error("run_failed", { error }),
    ));
  }
  if (new URL(request.url).searchParams.get("wait") === "true") {
    return Response.json(await done, { headers });
  }
  return Response.json({ accepted: true, joined }, { status: 202, headers });
}

/** Why the caller kicks: a body is not needed, and whatever is not understood is a plain kick. */
async function reasonOf(request: Request): Promise<string> {
  try {
    const body: unknown = await request.json();
    const reason = typeof body === "object" && body !== null
      ? (body as { reason?: unknown }).reason
      : undefined;
    return typeof reason === "string" ? reason.slice(0, 50) : "kick";
  } catch {
    return "kick"; // no body, or none that is JSON
  }
}

function prepare(name: string, read?: ReadVariable): { service: OrchestratorService; log: Log } {
  const platform = readPlatformEnv(read);
  const config = readOrchestratorConfig(read);
  const log = createLog({ function: name }, { level: config.logLevel });
  const client = createServiceClient({ ...platform, timeoutMs: STORE_TIMEOUT_MS });
  const shared = {
    store: createEngineStore(client, log),
    dispatcher: createHttpDispatcher({
      functionsUrl: `${platform.supabaseUrl}/functions/v1`,
      secretKey: platform.secretKey,
      maxPayloadBytes: config.maxPayloadBytes,
      log,
    }),
    catalog: new Catalog(),
    scopes: new Scopes(),
    clock: createClock(() => performance.now(), Date.now()),
    config,
    random: Math.random,
    newId: () => crypto.randomUUID(),
  };
  const service = new OrchestratorService(() => {
    const runId = crypto.randomUUID();
    return new Run({ ...shared, runId, log: log.with({ run_id: runId }) });
  });
  return { service, log };
}

function toHttpError(error: unknown, log: Log): HttpError {
  if (error instanceof HttpError) return error;
  log.error("request_failed", { error });
  return error instanceof ConfigError
    ? new HttpError(500, error.code, error.message)
    : new HttpError(500, "internal", "Cannot run jobs: the function's log holds the error");
}
