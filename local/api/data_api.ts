import { App, getAuthSchemaSql } from "@supabase/lite";
import { type IPostgresConnectionConfig, PostgresConnection } from "@supabase/lite/postgres";
import postgres from "postgres";
import type { ProjectConfig } from "../config.ts";
import type { Keys } from "../keys.ts";
import { isLostConnection, toPostgrestError } from "./postgrest_error.ts";

const STATEMENT_TIMEOUT_MS = 8_000;
const ANON_STATEMENT_TIMEOUT = "3s";
const POOL_SIZE = 20;

/** What the Data API and Auth need. */
export interface DataApiOptions {
  databaseUrl: string;
  apiUrl: string;
  keys: Keys;
  config: ProjectConfig;
}

/** Supabase's Data API (`/rest/v1`) and Auth (`/auth/v1`) on the local Postgres. */
export class DataApi {
  #connection: LocalConnection;
  #app: App;
  readonly #pending = new Set<(answer: Response) => void>();
  #warmingUp: Promise<unknown> | undefined;

  constructor(readonly options: DataApiOptions) {
    this.#connection = new LocalConnection({ url: options.databaseUrl });
    this.#app = createApp(this.#connection, options);
  }

  /** Answers a request to `/rest/v1/…` or `/auth/v1/…`; `peer` is the caller's address. */
  async fetch(request: Request, peer: string): Promise<Response> {
    const { promise: lost, resolve } = Promise.withResolvers<Response>();
    this.#pending.add(resolve);
    try {
      return await Promise.race([this.#answer(request, peer), lost]);
    } finally {
      this.#pending.delete(resolve);
    }
  }

  /** Reads the schema before the first request needs it. */
  async warmUp(): Promise<void> {
    this.#warmingUp = this.#connection.introspect({ useCache: true });
    await this.#warmingUp;
  }

  /** Forgets what it knows of tables and functions, to be read anew at the next request. */
  async reloadSchema(): Promise<void> {
    await this.#connection.clearSchemaCache();
  }

  /**
   * To be called when the server has gone: answers requests under way and begins anew. The driver
   * never settles a transaction whose connection was lost between two statements.
   */
  reconnect(): void {
    const abandoned = this.#connection;
    this.#connection = new LocalConnection({ url: this.options.databaseUrl });
    this.#app = createApp(this.#connection, this.options);
    for (const answer of this.#pending) answer(unavailable());
    void abandoned.driver.end({ timeout: 0 });
  }

  async #answer(request: Request, peer: string): Promise<Response> {
    try {
      await this.#connection.introspect({ useCache: true });
    } catch (error) {
      if (!(error instanceof SchemaUnreadable)) throw error;
      return unavailable();
    }
    const connection = this.#connection;
    const response = await this.#app.fetch(request, { peerAddress: peer });
    // Auth says 500 when it loses the database.
    if (response.status !== 500 || connection === this.#connection && await connection.ping()) {
      return response;
    }
    return unavailable();
  }

  /** Ends the connections to the database. */
  async close(): Promise<void> {
    await Promise.allSettled([this.#warmingUp]);
    await this.#connection.driver.end({ timeout: 1 });
  }
}

/** What PostgREST answers while there is no database. */
function unavailable(): Response {
  return Response.json(
    { code: "PGRST001", message: "Database client error. Retrying the connection." },
    { status: 503, headers: { "retry-after": "1", "access-control-allow-origin": "*" } },
  );
}

function createApp(connection: LocalConnection, options: DataApiOptions): App {
  const { apiUrl, keys, config: { api, auth } } = options;
  return new App({
    connection,
    api: {
      enabled: true,
      schemas: api.schemas,
      max_rows: api.max_rows,
      external_url: apiUrl,
    },
    auth: {
      ...auth,
      enabled: true,
      jwt_secret: keys.jwtSecret,
      publishable_key: keys.publishableKey,
      secret_key: keys.secretKey,
    },
    options: { server: { admin: false, disableStudio: true } },
  });
}

/** Creates the tables of Auth in a database that has none. */
export async function createAuthTables(databaseUrl: string): Promise<void> {
  const db = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  await db.unsafe(getAuthSchemaSql()).simple();
  await db.end();
}

const answered = new WeakSet<Error>();
// deno-lint-ignore no-console -- there is no other way to keep the library from writing to it
const print = console.error;
// deno-lint-ignore no-console -- it is replaced, to keep back what has been answered
console.error = (...what) => {
  const [first] = what;
  const isAnswered = first instanceof Error && answered.has(first);
  if (!isAnswered && first !== "Introspection failed:" && !what.some(isLostConnection)) {
    print(...what);
  }
};

/** The database does not answer the question which tables and functions it has. */
class SchemaUnreadable extends Error {
  override message = "The database does not answer";
}

/** The connection of `@supabase/lite`, kept to what a hosted project does. */
class LocalConnection extends PostgresConnection {
  constructor(config: IPostgresConnectionConfig) {
    super({
      ...config,
      postgresOptions: {
        max: POOL_SIZE,
        onnotice: () => {},
        connection: { statement_timeout: STATEMENT_TIMEOUT_MS, application_name: "data-api" },
        types: { json: jsonType(114), jsonb: jsonType(3802) },
      },
    });
    // On its first request it would grant everything on all tables to the API roles. It asks this
    // field first, so that grants and revokes hold exactly as the migrations made them.
    Reflect.set(this, "rlsState", "active");
    // Each of these would be five statements of two round trips each.
    Reflect.set(this, "applyJwtSessionContext", setCaller);
    Reflect.set(this, "applyRpcRequestGucs", setRequest);
  }

  #reading: Promise<Schema> | undefined;
  #schemaChanges = 0;

  override async clearSchemaCache(): Promise<void> {
    this.#schemaChanges++;
    this.#reading = undefined;
    await super.clearSchemaCache();
  }

  /** @throws SchemaUnreadable where the library would say that there are no tables at all */
  override async introspect(options?: { useCache?: boolean }): Promise<Schema> {
    if (options?.useCache && this.introspection !== undefined) return this.introspection;
    const changes = this.#schemaChanges;
    // Takes some time, so requests at the same time share it.
    const reading = this.#reading ??= super.introspect(options);
    const schema = await reading;
    if (this.#reading === reading) this.#reading = undefined;
    if (changes !== this.#schemaChanges) {
      await super.clearSchemaCache(); // what was read, and kept, may be from before the change
      return await this.introspect(options);
    }
    if (schema.functions === undefined) throw new SchemaUnreadable();
    return schema;
  }

  override normalizeDbError(error: unknown): unknown {
    const answer = toPostgrestError(error) ?? error;
    // It prints the error right after this call, but the caller gets it: nothing for a log.
    if (answer instanceof Error) answered.add(answer);
    return answer;
  }
}

type Schema = Awaited<ReturnType<PostgresConnection["introspect"]>>;
type Database = PostgresConnection["kysely"];

/** Makes the transaction act as the caller, whose claims policies and functions can read. */
async function setCaller(
  db: Database,
  caller: { auth?: { uid?: string | null; role?: string; jwt?: object | null } },
): Promise<void> {
  const { uid, role = "anon", jwt } = caller.auth ?? {};
  await setLocally(db, {
    "role": role,
    "request.jwt.claim.sub": uid ?? "",
    "request.jwt.claim.role": role,
    "request.jwt.claims": JSON.stringify(jwt ?? { role }),
    ...(role === "anon" ? { statement_timeout: ANON_STATEMENT_TIMEOUT } : {}),
  });
}

/** Lets a function read the request that called it, and clears what one before it answered. */
async function setRequest(
  db: Database,
  request: { method: string; path: string; requestHeaders?: Record<string, string> },
): Promise<void> {
  await setLocally(db, {
    "response.status": "",
    "response.headers": "",
    "request.method": request.method,
    "request.path": request.path,
    "request.headers": JSON.stringify(request.requestHeaders ?? {}),
  });
}

/** Sets variables until the end of the transaction, in one round trip. */
async function setLocally(db: Database, variables: Record<string, string>): Promise<void> {
  const quote = (text: string) => `'${text.replaceAll("'", "''")}'`;
  const sql = "select " +
    Object.entries(variables).map(([name, value]) =>
      `set_config(${quote(name)}, ${quote(value)}, true)`
    ).join(", ");
  await db.executeQuery({
    sql,
    parameters: [],
    query: { kind: "RawNode", sqlFragments: [sql], parameters: [] },
    queryId: { queryId: "set" },
  });
}

/** It hands JSON arguments over as text already; its own serialiser would encode them once more. */
function jsonType(oid: number): postgres.PostgresType {
  return {
    to: oid,
    from: [oid],
    serialize: (value: unknown) =>
      typeof value === "string" && /^[{[]/.test(value) ? value : JSON.stringify(value),
    parse: (text: string) => JSON.parse(text),
  };
}
