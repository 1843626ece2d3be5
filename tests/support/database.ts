import postgres from "postgres";
import type { TestStack } from "./stack.ts";

/** A connection for one test: `await using db = openDatabase(stack)`. */
export type TestDatabase = postgres.Sql & AsyncDisposable;

/** Connects to the stack's database as role `postgres`, or to the one given. */
export function openDatabase(stack: TestStack, url: string = stack.dbUrl): TestDatabase {
  const sql = postgres(url, { max: 1, onnotice: () => {}, idle_timeout: 0, max_lifetime: null });
  return Object.assign(sql, {
    [Symbol.asyncDispose]: async () => await sql.end({ timeout: 1 }),
  });
}
