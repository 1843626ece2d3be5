import type { TestDatabase } from "./database.ts";

/** Two users of every private database. */
export const ALICE = "a11ce000-0000-4000-8000-000000000001";
export const BOB = "b0b00000-0000-4000-8000-000000000002";

/** Deleted from, not truncated: with so few rows that takes a thirtieth of the time. */
const EMPTIED = [
  ...["public.jobs", "public.workflows", "public.transformers", "public.orchestrators"],
  ...["public.rate_limits", "public.api_requests", "millrace.pulse", "millrace.settings"],
  ...["public.events", "millrace.slots", "millrace.rate_starts"],
  ...["net.http_request_queue", "net._http_response", "vault.secrets", "auth.users"],
];

/**
 * Empties a private database and puts into it two users, the transformer `echo` and the workflow
 * `one_step`; the clock is the real one, the settings are the defaults, Vault is empty.
 */
export async function seedDatabase(db: TestDatabase): Promise<void> {
  await db.unsafe(`
    ${EMPTIED.map((table) => `delete from ${table};`).join("\n")}
    insert into millrace.pulse default values;
    insert into millrace.settings default values;
    insert into auth.users (id, email)
    values ('${ALICE}', 'alice@example.com'), ('${BOB}', 'bob@example.com');
    create or replace function millrace.now() returns timestamptz
    language plpgsql volatile set search_path = '' as $$ begin return clock_timestamp(); end $$;
    insert into public.transformers (id, type, target_function)
    values ('echo', 'echo', 'execute-echo');
    insert into public.workflows (id, definition)
    values ('one_step', '{"start_step": "a", "steps": {"a": {"transformer_id": "echo"}}}');
  `).simple();
}

/** Stops the clock of the engine in this database, for every connection, at this time. */
export async function stopClock(db: TestDatabase, at: string): Promise<void> {
  await db.unsafe(`
    create or replace function millrace.now() returns timestamptz
    language plpgsql volatile set search_path = ''
    as $$ begin return timestamptz '${new Date(at).toISOString()}'; end $$`);
}

/** Sets the Vault secrets by which the database calls the orchestrator. */
export async function setSecrets(db: TestDatabase): Promise<void> {
  await db`select vault.create_secret('http://127.0.0.1:9/', 'millrace_project_url'),
    vault.create_secret('sb_secret_test', 'millrace_secret_key')`;
}

/** The calls that the database has queued for after its commits, oldest first. */
export async function queuedCalls(db: TestDatabase): Promise<
  { url: string; headers: Record<string, string>; body: { reason: string } }[]
> {
  const rows = await db`select url, headers, convert_from(body, 'UTF8')::jsonb as body
    from net.http_request_queue order by id`;
  return rows.map(({ url, headers, body }) => ({ url, headers, body }));
}
