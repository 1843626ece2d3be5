import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { Gateway } from "./api/gateway.ts";
import { loadConfig } from "./config.ts";
import { StackError } from "./error.ts";
import { surviveDriverFaults } from "./database/driver_fault.ts";
import { removeIfExists } from "./files.ts";
import { loadKeys } from "./keys.ts";
import { LogFiles } from "./log_files.ts";
import { findHome } from "./place.ts";
import { claimPort } from "./ports.ts";
import { findAccount, openTo } from "./postgres/account.ts";
import { installPostgres } from "./postgres/binaries.ts";
import { databaseUrl, SUPERUSER } from "./postgres/cluster.ts";
import { createRunFolder } from "./run_folders.ts";
import { type ServiceOptions, Services } from "./services.ts";
import { DataLock } from "./state.ts";
import { watchProject } from "./watch.ts";

/** Root of the project that this stack is part of. */
export const PROJECT = dirname(dirname(fileURLToPath(import.meta.url)));
const COPY = "millrace_template";

/** How a stack is to run; every field may be left out. */
export interface StackOptions {
  /**
   * Folder that keeps the data between runs; of no effect with `fresh`. Default: `data` in the
   * project's `.millrace`.
   */
  dataDir?: string;
  /** Throw-away data, removed by `stop()`. */
  fresh?: boolean;
  /** Port of the API; 0 is any free one. Default: 0. */
  apiPort?: number;
  /** Port of Postgres; 0 is any free one. Default: 0. */
  dbPort?: number;
  /** Environment variables of the functions, on top of this process's own and Supabase's. */
  env?: Record<string, string>;
  /** Restart functions and apply new migrations when their files change. */
  watch?: boolean;
  /** Called with each line that a function, `postgres` or the `stack` itself logs. */
  onLog?: (source: string, line: string) => void;
  /** Folder for a log file per function and one of Postgres. Default: none are written. */
  logsDir?: string;
  /** Default: `supabase/functions` of the project. */
  functionsDir?: string;
  /** Default: `supabase/migrations` of the project; `seed.sql` is looked for beside it. */
  migrationsDir?: string;
  /** Default: `supabase/config.toml` of the project. */
  configFile?: string;
  /** Run the jobs of `cron.job`. Default: true. */
  cron?: boolean;
  /** Keep a copy of the database as the migrations made it, for `createDatabase()`. */
  databaseCopies?: boolean;
  /**
   * Let the engine run on a clock that can be moved: see `clock/virtual_clock.ts`. pg_cron, Auth
   * and the functions' own time limits stay on real time. Default: false.
   */
  virtualClock?: boolean;
}

/**
 * Starts a local Supabase: PostgreSQL, Data API, Auth, functions, and stand-ins for pg_cron, pg_net
 * and Vault, all on 127.0.0.1. Applies the project's migrations.
 *
 * @throws StackError in words for the person at the terminal; nothing is left running
 */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  surviveDriverFaults();
  const resources = new AsyncDisposableStack();
  try {
    return await boot(options, resources);
  } catch (error) {
    await resources.disposeAsync();
    throw error;
  }
}

/** A running local stack. */
export class Stack {
  #services: Services | undefined;
  #resources: AsyncDisposableStack;

  /** Use {@link startStack}. */
  constructor(readonly options: ServiceOptions, resources: AsyncDisposableStack) {
    this.#resources = resources;
    resources.defer(() => this.#services?.stop());
    options.gateway.reset = (apiKey) => this.#answerReset(apiKey);
  }

  /** Base address of the Data API, Auth and functions. */
  get apiUrl(): string {
    return this.options.gateway.url;
  }
  /** Base address of the functions. */
  get functionsUrl(): string {
    return `${this.apiUrl}/functions/v1`;
  }
  /** Connection string of the database, as role `postgres`. */
  get dbUrl(): string {
    return databaseUrl(this.options.dbPort, "postgres");
  }
  /** Connection string of the database as superuser, which a hosted project does not have. */
  get superuserUrl(): string {
    return databaseUrl(this.options.dbPort, SUPERUSER);
  }
  /** Key of clients: acts as `anon`, or as the user that signed in. */
  get publishableKey(): string {
    return this.options.keys.publishableKey;
  }
  /** Key of servers: acts as `service_role`. */
  get secretKey(): string {
    return this.options.keys.secretKey;
  }
  /** Secret that signs the tokens of users (HS256). */
  get jwtSecret(): string {
    return this.options.keys.jwtSecret;
  }

  /** Starts Postgres and all that stands on it. @throws StackError */
  async start(): Promise<void> {
    this.#services = await Services.start(this.options);
  }

  /** Stops everything that this stack has started; throw-away data are removed. */
  async stop(): Promise<void> {
    await this.#resources.disposeAsync();
  }

  /** Drops all data and applies the migrations anew; addresses and keys stay. @throws StackError */
  async reset(): Promise<void> {
    await this.#services?.stop();
    this.#services = undefined;
    await removeIfExists(this.options.clusterFolder);
    await this.start();
  }

  /** Restarts Postgres: `fast` ends its sessions, `immediate` is a crash to it. */
  async restartPostgres(mode: "fast" | "immediate" = "fast"): Promise<void> {
    await this.#running().server.restart(mode);
  }

  /** Process id of a function, `undefined` while it does not run. */
  functionPid(name: string): number | undefined {
    return this.#running().functions.pid(name);
  }

  /** Sends a signal to a function's process; resolves to whether there was one. */
  async killFunction(name: string, signal: Deno.Signal = "SIGKILL"): Promise<boolean> {
    return await this.#running().functions.kill(name, signal);
  }

  /** Lets a function, or all of them, finish; the next request starts it anew. */
  retireFunction(name?: string): void {
    this.#services?.functions.retire(name);
  }

  /**
   * Makes a database of its own, as the migrations left it, and returns its connection string as
   * role `postgres`. Needs the option `databaseCopies`. Its cron jobs do not run.
   */
  async createDatabase(): Promise<string> {
    const name = `copy_${crypto.randomUUID().replaceAll("-", "")}`;
    const admin = postgres(databaseUrl(this.options.dbPort, SUPERUSER, "template1"), { max: 1 });
    try {
      await admin.unsafe(`create database ${name} template ${COPY} owner postgres`);
    } finally {
      await admin.end();
    }
    return databaseUrl(this.options.dbPort, "postgres", name);
  }

  async #answerReset(apiKey: string | null): Promise<Response> {
    if (apiKey !== this.secretKey) return new Response("Wrong key", { status: 401 });
    try {
      await this.reset();
      return new Response(null, { status: 204 });
    } catch (error) {
      if (!(error instanceof StackError)) throw error;
      this.options.log("stack", error.message);
      return new Response(error.message, { status: 500 });
    }
  }

  #running(): Services {
    if (this.#services === undefined) throw new Error("The stack does not run");
    return this.#services;
  }
}

async function boot(options: StackOptions, resources: AsyncDisposableStack): Promise<Stack> {
  const config = await loadConfig(options.configFile ?? join(PROJECT, "supabase/config.toml"));
  const logs = options.logsDir === undefined ? undefined : new LogFiles(options.logsDir);
  resources.defer(() => logs?.close());
  const log = (source: string, line: string) => {
    logs?.write(source, line);
    options.onLog?.(source, line);
  };

  const home = await findHome(PROJECT);
  const dataFolder = options.fresh
    ? await createRunFolder(home)
    : resolve(options.dataDir ?? join(home, "data"));
  if (options.fresh) resources.defer(() => removeIfExists(dataFolder));
  await Deno.mkdir(dataFolder, { recursive: true });
  const lock = await DataLock.take(dataFolder);
  resources.defer(() => lock.release());

  const gateway = new Gateway(options.apiPort ?? 0);
  resources.defer(() => gateway.close());
  const dbPort = claimPort(options.dbPort ?? 0, "--db-port");

  const clusterFolder = join(dataFolder, "pgdata");
  const binaries = await installPostgres(home);
  const account = await findAccount(clusterFolder, join(binaries, "bin/postgres"));
  if (account !== undefined) await openTo(dataFolder);
  const functionsDir = resolve(options.functionsDir ?? join(PROJECT, "supabase/functions"));
  const migrationsDir = resolve(options.migrationsDir ?? join(PROJECT, "supabase/migrations"));
  const stack = new Stack({
    tools: { home, binaries, account, onLog: (line) => log("postgres", line) },
    keys: await loadKeys(join(dataFolder, "keys.json")),
    env: options.env ?? {},
    cron: options.cron ?? true,
    copyAs: options.databaseCopies ? COPY : undefined,
    fresh: options.fresh ?? false,
    virtualClock: options.virtualClock ?? false,
    ...{ config, gateway, clusterFolder, dbPort, functionsDir, migrationsDir, log },
  }, resources);
  await stack.start();
  if (options.watch) resources.use(watchProject(stack));
  await lock.publish({
    api_url: stack.apiUrl,
    functions_url: stack.functionsUrl,
    db_url: stack.dbUrl,
    publishable_key: stack.publishableKey,
    secret_key: stack.secretKey,
    jwt_secret: stack.jwtSecret,
    pid: Deno.pid,
  });
  return stack;
}
