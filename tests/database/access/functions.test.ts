import assert from "node:assert/strict";
import type { TestDatabase } from "../../support/database.ts";
import { privateDatabase } from "../../support/private_database.ts";
import { as } from "../../support/engine.ts";
import { ALICE } from "../../support/seed_database.ts";

const file = await privateDatabase();

/** The functions in public that a user may call; no other, and an anonymous caller none. */
const FOR_USERS = [
  ...["bulk_jobs", "cancel_job", "decide_approval", "emit_event", "explain_job", "job_children"],
  ...["pause_job", "resume_job", "retry_job", "signal_job", "start_job"],
];
/** What those need; it says nothing about anybody but the caller. */
const HELPERS_FOR_USERS = [
  ...["action_fits", "add_event", "ask_for", "assignee_keys", "caller_keys", "explain_approval"],
  ...["explain_children", "explain_due", "explain_end", "explain_event", "explain_executor"],
  ...["explain_lease", "explain_level", "explain_mailbox", "explain_outage", "explain_pause"],
  ...["explain_pending", "explain_platform", "explain_queue", "explain_retry", "explain_slot"],
  ...["explain_waiting", "explained", "jobs_that_are_to", "json_bytes", "kick_needed"],
  ...["may_decide", "now"],
  ...["post_wishes", "read_job_filter", "record_decision", "reopen_jobs", "require_caller"],
  ...["say_clock", "say_count", "say_duration", "say_executor", "say_time"],
];
/** Those that act with the rights of their owner. */
const SECURITY_DEFINERS = [
  ...["millrace.add_event", "millrace.bump_catalog", "millrace.explain_executor"],
  ...["millrace.explain_mailbox", "millrace.explain_platform", "millrace.explain_queue"],
  ...[
    "millrace.explain_slot",
    "millrace.jobs_that_are_to",
    "millrace.keep_workflow_version",
    "millrace.kick_after_insert",
  ],
  ...["millrace.kick_needed", "millrace.platform_state", "millrace.post_kicks"],
  ...["millrace.post_wishes", "millrace.prepare_job", "millrace.record_decision"],
  ...["millrace.release_deleted_job", "millrace.reopen_jobs", "millrace.wake_job", "public.tick"],
];
const VIEWS = [
  ...["alerts", "api_metrics", "failure_metrics", "queue_metrics", "slot_metrics"],
  ...["step_metrics", "transformer_metrics", "workflow_metrics"],
];
/** Those that users read too. */
const VIEWS_FOR_USERS = ["approval_inbox"];

interface SqlFunction {
  name: string;
  schema: string;
  /** A call with nulls for all arguments. */
  call: string;
}

async function functionsOf(db: TestDatabase, schema: string): Promise<SqlFunction[]> {
  return await db<SqlFunction[]>`
    select p.proname as name, n.nspname as schema, format('select %I.%I(%s)', n.nspname, p.proname,
      (select string_agg('null::' || format_type(t, null), ', ' order by i)
       from unnest(p.proargtypes::oid[]) with ordinality as argument (t, i))) as call
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname = ${schema} and p.prorettype <> 'trigger'::regtype`;
}

file.test("access: whoever is not meant to call a function of public is refused", async (db) => {
  const functions = await functionsOf(db, "public");
  assert.ok(functions.length >= 12);
  for (const { name, call } of functions) {
    await assert.rejects(as(db, "anon", null, (db) => db.unsafe(call)), {
      code: "42501",
      message: `permission denied for function ${name}`,
    });
    if (FOR_USERS.includes(name)) continue;
    await assert.rejects(as(db, "authenticated", ALICE, (db) => db.unsafe(call)), {
      code: "42501",
      message: `permission denied for function ${name}`,
    });
  }
});

file.test("access: the service role may call every function of public", async (db) => {
  const refused = await db`
    select p.oid::regprocedure::text as name from pg_proc p
    where pronamespace = 'public'::regnamespace
      and not has_function_privilege('service_role', p.oid, 'execute')`;
  assert.deepEqual(refused.map(({ name }) => name), []);
});

file.test("access: of the engine's own schema a user may call the helpers only", async (db) => {
  const allowed = await db`
    select distinct proname as name from pg_proc
    where pronamespace = 'millrace'::regnamespace
      and has_function_privilege('authenticated', oid, 'execute')
    order by 1`;
  assert.deepEqual(allowed.map(({ name }) => name), HELPERS_FOR_USERS);
  for (const { name, call } of await functionsOf(db, "millrace")) {
    await assert.rejects(
      as(db, "anon", null, (db) => db.unsafe(call)),
      { code: "42501", message: "permission denied for schema millrace" },
      name,
    );
  }
});

file.test("access: metrics and alerts are for the service role alone", async (db) => {
  for (const view of VIEWS) {
    const read = (db: TestDatabase) => db.unsafe(`select * from public.${view}`);
    await as(db, "service_role", null, read);
    const denied = { code: "42501", message: `permission denied for view ${view}` };
    await assert.rejects(as(db, "anon", null, read), denied);
    await assert.rejects(as(db, "authenticated", ALICE, read), denied);
  }
});

file.test("access: every table has row level security", async (db) => {
  const rows = await db`
    select oid::regclass::text as name from pg_class
    where relkind in ('r', 'p') and not relrowsecurity
      and relnamespace in ('public'::regnamespace, 'millrace'::regnamespace)`;
  assert.deepEqual(rows.map(({ name }) => name), []);
});

file.test("access: every view has the rights of who reads it", async (db) => {
  const rows = await db`
    select relname as name, coalesce(reloptions, '{}') @> '{security_invoker=true}' as invoker
    from pg_class
    where relkind in ('v', 'm')
      and relnamespace in ('public'::regnamespace, 'millrace'::regnamespace)
    order by 1`;
  assert.deepEqual(
    rows.map(({ name, invoker }) => [name, invoker]),
    [...VIEWS, ...VIEWS_FOR_USERS, "metric_periods"].sort().map((name) => [name, true]),
  );
});

file.test("access: every function has its search_path set", async (db) => {
  const rows = await db`
    select oid::regprocedure::text as name from pg_proc
    where pronamespace in ('public'::regnamespace, 'millrace'::regnamespace)
      and not coalesce(proconfig, '{}') @> array['search_path=""']`;
  assert.deepEqual(rows.map(({ name }) => name), []);
});

file.test("access: only these functions act with their owner's rights", async (db) => {
  const rows = await db`
    select pronamespace::regnamespace || '.' || proname as name from pg_proc
    where pronamespace in ('public'::regnamespace, 'millrace'::regnamespace) and prosecdef
    order by 1`;
  assert.deepEqual(rows.map(({ name }) => name), SECURITY_DEFINERS);
});

file.test("access: every table, view, function and type has a comment", async (db) => {
  const rows = await db`
    select oid::regclass::text as name from pg_class
    where relkind in ('r', 'p', 'v', 'm')
      and relnamespace in ('public'::regnamespace, 'millrace'::regnamespace)
      and obj_description(oid, 'pg_class') is null
    union all
    select oid::regprocedure::text from pg_proc
    where pronamespace in ('public'::regnamespace, 'millrace'::regnamespace)
      and obj_description(oid, 'pg_proc') is null
    union all
    select t.oid::regtype::text from pg_type t join pg_class c on c.oid = t.typrelid
    where c.relkind = 'c' and c.relnamespace = 'millrace'::regnamespace
      and obj_description(t.oid, 'pg_type') is null and obj_description(c.oid, 'pg_class') is null`;
  assert.deepEqual(rows.map(({ name }) => name), []);
});
