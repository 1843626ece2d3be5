import { type TestDatabase } from "./database.ts";
import { control, hasControl, testStack } from "./stack.ts";
import { seedDatabase } from "./seed_database.ts";
import postgres from "postgres";

/** What a connection of a private database is opened with. */
export interface ConnectOptions {
  /** As superuser, which a hosted project does not have; by default as `postgres`. */
  superuser?: boolean;
  /** Takes the server's notices. */
  onNotice?: (message: string) => void;
}

/**
 * A database of a test file's own, as the migrations left it: what its tests do to the clock, the
 * settings or the plans touches nobody else. No cron job runs in it and nothing sends its requests.
 */
export interface PrivateDatabase {
  /** Registers a test that begins with a freshly seeded database and has a connection to it. */
  test(name: string, run: (db: TestDatabase) => Promise<void>): void;
  /** Opens one more connection: `await using other = file.connect()`. */
  connect(options?: ConnectOptions): TestDatabase;
}

/** Makes one; call it at the top of a test file, outside of the tests. */
export async function privateDatabase(): Promise<PrivateDatabase> {
  const stack = await testStack();
  const ignore = !hasControl(stack);
  // Dropped with the stack: to drop one costs more than to make it.
  const url = ignore ? stack.dbUrl : String(await control(stack, "createDatabase"));
  const connect = ({ superuser = false, onNotice = () => {} }: ConnectOptions = {}) =>
    connectTo(superuser ? inDatabaseOf(url, stack.superuserUrl ?? "") : url, onNotice);
  return {
    connect,
    test(name, run) {
      Deno.test({
        name,
        ignore,
        async fn() {
          await using db = connect();
          await seedDatabase(db);
          await run(db);
        },
      });
    },
  };
}

function connectTo(url: string, onNotice: (message: string) => void): TestDatabase {
  const sql = postgres(url, {
    max: 1,
    idle_timeout: 0,
    max_lifetime: null,
    // A lock that nobody releases is then a failure, not a hang.
    connection: { statement_timeout: 20_000, lock_timeout: 10_000 },
    onnotice: ({ message }) => onNotice(message ?? ""),
    // Counts are numbers here; none comes near 2^53.
    types: { bigint: { to: 20, from: [20], parse: Number, serialize: String } },
  }) as unknown as postgres.Sql;
  return Object.assign(sql, {
    [Symbol.asyncDispose]: async () => await sql.end({ timeout: 1 }),
  });
}

function inDatabaseOf(databaseUrl: string, serverUrl: string): string {
  return new URL(new URL(databaseUrl).pathname, serverUrl).href;
}
