import { dirname, join } from "node:path";
import postgres from "postgres";
import { DataApi } from "./api/data_api.ts";
import type { Gateway } from "./api/gateway.ts";
import { settleClock } from "./clock/settle.ts";
import type { ProjectConfig } from "./config.ts";
import { Listener } from "./database/listener.ts";
import { applyMigrations, applySeed } from "./database/migrations.ts";
import { writeProjectSecrets } from "./database/secrets.ts";
import { exists, removeIfExists } from "./files.ts";
import { supabaseEnvironment } from "./functions/environment.ts";
import { FunctionHost } from "./functions/host.ts";
import type { Keys } from "./keys.ts";
import { type ClusterTools, createCluster, databaseUrl, SUPERUSER } from "./postgres/cluster.ts";
import { PostgresServer, stopOrphan } from "./postgres/server.ts";
import { CronWorker } from "./workers/cron_worker.ts";
import { NetWorker } from "./workers/net_worker.ts";

/** What the services of one data folder are started with. */
export interface ServiceOptions {
  tools: ClusterTools;
  config: ProjectConfig;
  keys: Keys;
  gateway: Gateway;
  /** Folder of Postgres's files; made when missing. */
  clusterFolder: string;
  dbPort: number;
  functionsDir: string;
  migrationsDir: string;
  env: Record<string, string>;
  cron: boolean;
  /** Name of the database that keeps a copy of what the migrations made, if one is wanted. */
  copyAs: string | undefined;
  /** The data are thrown away afterwards. */
  fresh: boolean;
  /** The engine's clock can be moved. */
  virtualClock: boolean;
  log: (source: string, line: string) => void;
}

/** Everything that runs on top of one data folder; the gateway outlives it. */
export class Services {
  private constructor(
    readonly server: PostgresServer,
    readonly functions: FunctionHost,
    readonly resources: AsyncDisposableStack,
  ) {}

  /** Starts Postgres, applies migrations, then starts all else. @throws StackError */
  static async start(options: ServiceOptions): Promise<Services> {
    const resources = new AsyncDisposableStack();
    try {
      const server = await startPostgres(options, resources);
      const functions = await startOthers(options, resources);
      return new Services(server, functions, resources);
    } catch (error) {
      await resources.disposeAsync();
      if (!await exists(markerOf(options))) await removeIfExists(options.clusterFolder);
      throw error;
    }
  }

  /** Stops all, in the opposite order: functions still have the API while they finish. */
  async stop(): Promise<void> {
    await this.resources.disposeAsync();
  }
}

async function startPostgres(
  options: ServiceOptions,
  resources: AsyncDisposableStack,
): Promise<PostgresServer> {
  const { tools, clusterFolder, dbPort, migrationsDir, config, copyAs } = options;
  await stopOrphan(clusterFolder);
  const isNew = !await exists(markerOf(options));
  if (isNew) {
    await removeIfExists(clusterFolder);
    await createCluster(tools, clusterFolder, !options.fresh);
  }
  const server = new PostgresServer({
    ...tools,
    dataFolder: clusterFolder,
    port: dbPort,
    onEnd: () => options.gateway.services?.api.reconnect(),
  });
  resources.defer(() => server.stop(options.fresh ? "immediate" : "fast"));
  await server.start();

  await migrate(options);
  if (isNew && config.db.seed.enabled) {
    await applySeed(databaseUrl(dbPort, "postgres"), join(dirname(migrationsDir), "seed.sql"));
  }
  if (isNew && copyAs !== undefined) {
    // Now, as nothing else may be connected to the database that is copied.
    const admin = postgres(databaseUrl(dbPort, SUPERUSER, "template1"), { max: 1 });
    await admin.unsafe(`create database ${copyAs} template postgres owner postgres`);
    await admin.end();
  }
  if (isNew) await Deno.writeTextFile(markerOf(options), "");
  await settle(options);
  return server;
}

/** Applies the migrations that are new, as role `postgres`, and says so. @throws StackError */
export async function migrate({ dbPort, migrationsDir, log }: ServiceOptions): Promise<void> {
  const { applied, changed } = await applyMigrations(
    databaseUrl(dbPort, "postgres"),
    migrationsDir,
  );
  if (applied.length === 1) log("stack", `Applied ${applied[0]}`);
  if (applied.length > 1) {
    log("stack", `Applied ${applied.length} migrations up to ${applied.at(-1)}`);
  }
  for (const file of changed) {
    log("stack", `${file} has changed since it was applied: run \`deno task reset\``);
  }
}

/** Sees to it that the engine runs on the clock that is wanted. @throws StackError */
async function settle({ dbPort, virtualClock, log }: ServiceOptions): Promise<void> {
  const url = databaseUrl(dbPort, "postgres");
  await settleClock(url, virtualClock, (line) => log("stack", line));
}

/** A file that is there once migrations and seed went through: half-made data are no data. */
function markerOf({ clusterFolder }: ServiceOptions): string {
  return join(clusterFolder, "millrace.ready");
}

async function startOthers(
  options: ServiceOptions,
  resources: AsyncDisposableStack,
): Promise<FunctionHost> {
  const { gateway, keys, config, dbPort, log } = options;
  const superuserUrl = databaseUrl(dbPort, SUPERUSER);
  const db = postgres(superuserUrl, { max: 4, fetch_types: false, onnotice: () => {} });
  resources.defer(() => db.end({ timeout: 1 }));
  await writeProjectSecrets(db, gateway.url, keys.secretKey);

  const api = new DataApi({ databaseUrl: superuserUrl, apiUrl: gateway.url, keys, config });
  resources.defer(() => api.close());
  const functions = new FunctionHost({
    folder: options.functionsDir,
    config: config.functions,
    jwtSecret: keys.jwtSecret,
    env: {
      ...supabaseEnvironment({ apiUrl: gateway.url, dbUrl: databaseUrl(dbPort, "postgres"), keys }),
      ...options.env,
    },
    callers: ["workflow-orchestrator"],
    onLog: log,
  });
  resources.defer(() => gateway.services = undefined);
  resources.defer(() => functions.stop());
  gateway.services = { api, functions };

  const net = new NetWorker(db, (line) => log("stack", line));
  resources.defer(() => net.stop());
  const userUrl = (user: string) => databaseUrl(dbPort, user);
  const cron = new CronWorker(db, userUrl, (line) => log("stack", line));
  resources.defer(() => cron.stop());
  const channels = {
    pgrst: () => void api.reloadSchema(),
    [net.channel]: () => net.wake(),
    ...(options.cron ? { [cron.channel]: () => cron.wake() } : {}),
  };
  const listener = new Listener(superuserUrl, channels, () => {
    // Notices may have been lost: act as if each had come.
    for (const handle of Object.values(channels)) handle();
    api.warmUp().catch((error) => log("stack", `Cannot read the schema yet: ${error}`));
  });
  resources.defer(() => listener.close());
  return functions;
}
