import { FunctionsClient, FunctionsHttpError } from "@supabase/functions-js";
import { type ApiEnv, readApiEnv, type ReadVariable } from "../contracts/env.ts";
import { createVerifier } from "../http/auth.ts";
import { inBackground } from "../http/background.ts";
import { handle } from "../http/handle.ts";
import { isInternalCall } from "../http/internal_auth.ts";
import { cacheTokens } from "../http/token_cache.ts";
import { createLog, type Log } from "../log.ts";
import { type ApiStore, createApiStore, type RequestRecord } from "../store/api_store.ts";
import {
  type ClientConfig,
  createAuthClient,
  createServiceClient,
  createUserClient,
  fetchWithin,
} from "../store/client.ts";
import { createUserStore } from "../store/user_store.ts";
import { createInputCheck } from "./check_input.ts";
import type { ApiDeps } from "./deps.ts";
import { createKicker, type KickReason } from "./kicker.ts";
import { createRequestRecorder } from "./request_recorder.ts";
import { type DoorName, DOORS, routesOf } from "./routes.ts";

/** What one process of an API function keeps between requests. */
interface Service {
  deps: ApiDeps;
  observe(record: RequestRecord): void;
}

/** What one function has that others do without, and what a test may put in place of its own. */
export interface ServeOptions {
  read?: ReadVariable;
  log?: Log;
  /** The check of definitions, for the function that registers them. */
  findProblems?: ApiDeps["findProblems"];
}

/**
 * The fetch handler of one of the API's functions. Its environment is read at the first request, so
 * that a bad variable is a 500 that the log explains and no crash.
 */
export function serveApi(
  name: DoorName,
  options: ServeOptions = {},
): (request: Request) => Promise<Response> {
  const read = options.read ?? ((variable) => Deno.env.get(variable));
  const log = options.log ?? createLog({ function: name }, { level: read("LOG_LEVEL") });
  let service: Service | undefined;
  const ready = () => (service ??= createService(readApiEnv(read), log, { ...options, read }));
  return handle({
    name,
    routes: routesOf(DOORS[name], () => ready().deps),
    log,
    observe: (record) => service?.observe(record),
  });
}

function createService(
  env: ApiEnv,
  log: Log,
  { read, findProblems = noCheck }: ServeOptions & { read: ReadVariable },
): Service {
  const config: ClientConfig = { ...env, timeoutMs: env.apiTimeoutMs };
  const auth = createAuthClient(config).auth;
  const store = createApiStore(createServiceClient(config));
  const verify = createVerifier({ getClaims: (token) => auth.getClaims(token) });
  return {
    deps: {
      limits: env,
      verify: cacheTokens(verify, { seconds: env.authCacheSeconds }),
      countRequest: createCounter(env, store),
      userStore: (token) => createUserStore(createUserClient(config, token)),
      findVersionSchema: (id, version) => store.findVersionSchema(id, version),
      checkInput: createInputCheck(),
      isInternal: (request) => isInternalCall(request, read),
      findProblems,
      workflows: {
        insert: (workflow) => store.insertWorkflow(workflow),
        update: (workflow) => store.updateWorkflow(workflow),
      },
      kick: createKicker({
        invoke: (reason) => kickOrchestrator(env, reason),
        background: inBackground,
        log,
      }),
    },
    observe: createRequestRecorder({
      write: (records) => store.recordApiRequests(records),
      background: inBackground,
      log,
    }),
  };
}

function noCheck(): Promise<never> {
  throw new Error("This function has no check of definitions");
}

function createCounter(env: ApiEnv, store: ApiStore): ApiDeps["countRequest"] {
  const limit = env.rateLimitPerMinute;
  return limit === 0
    ? () => Promise.resolve({ allowed: true, remaining: 0, retry_after_seconds: 0 })
    : (userId) => store.consumeRateLimit(userId, "api", limit, 60);
}

async function kickOrchestrator(env: ApiEnv, reason: KickReason): Promise<void> {
  const functions = new FunctionsClient(`${env.supabaseUrl}/functions/v1`, {
    headers: { apikey: env.secretKey },
    customFetch: fetchWithin(env.kickTimeoutMs),
  });
  const { error } = await functions.invoke("workflow-orchestrator", { body: { reason } });
  if (error instanceof FunctionsHttpError) {
    await error.context.body?.cancel();
    throw new Error(`workflow-orchestrator answered ${error.context.status}`);
  }
  if (error !== null) throw error;
}
