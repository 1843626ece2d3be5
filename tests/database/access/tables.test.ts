import assert from "node:assert/strict";
import type { TestDatabase } from "../../support/database.ts";
import { privateDatabase } from "../../support/private_database.ts";
import { as, insertJob } from "../../support/engine.ts";
import { ALICE, BOB } from "../../support/seed_database.ts";

const file = await privateDatabase();

/**
 * What each role may do with rows of its user and of others:
 * `-` nothing, permission denied; `own` the user's own rows only; `all` every row.
 */
type Access = "-" | "own" | "all";
const MATRIX: [table: string, role: Role, ...Access[]][] = [
  // table                      role             select insert update delete
  ["public.jobs", "anon", "-", "-", "-", "-"],
  ["public.jobs", "authenticated", "own", "own", "own", "own"],
  ["public.jobs", "service_role", "all", "all", "all", "all"],
  ["public.job_steps", "anon", "-", "-", "-", "-"],
  ["public.job_steps", "authenticated", "own", "-", "-", "-"],
  ["public.job_steps", "service_role", "all", "all", "all", "all"],
  ["public.job_events", "anon", "-", "-", "-", "-"],
  ["public.job_events", "authenticated", "own", "-", "-", "-"],
  ["public.job_events", "service_role", "all", "all", "all", "all"],
  ["public.job_inbox", "anon", "-", "-", "-", "-"],
  ["public.job_inbox", "authenticated", "-", "own", "-", "-"],
  ["public.job_inbox", "service_role", "all", "all", "all", "all"],
  ["public.approvals", "anon", "-", "-", "-", "-"],
  ["public.approvals", "authenticated", "own", "-", "-", "-"],
  ["public.approvals", "service_role", "all", "all", "all", "all"],
  ["public.events", "anon", "-", "-", "-", "-"],
  ["public.events", "authenticated", "own", "-", "-", "-"],
  ["public.events", "service_role", "all", "all", "all", "all"],
  ["public.event_waits", "anon", "-", "-", "-", "-"],
  ["public.event_waits", "authenticated", "-", "-", "-", "-"],
  ["public.event_waits", "service_role", "all", "all", "all", "all"],
  ["public.workflows", "anon", "-", "-", "-", "-"],
  ["public.workflows", "authenticated", "all", "-", "-", "-"],
  ["public.workflows", "service_role", "all", "all", "all", "all"],
  ["public.workflow_versions", "anon", "-", "-", "-", "-"],
  ["public.workflow_versions", "authenticated", "-", "-", "-", "-"],
  ["public.workflow_versions", "service_role", "all", "-", "-", "-"],
  ["public.transformers", "anon", "-", "-", "-", "-"],
  ["public.transformers", "authenticated", "-", "-", "-", "-"],
  ["public.transformers", "service_role", "all", "all", "all", "all"],
  ["public.orchestrators", "anon", "-", "-", "-", "-"],
  ["public.orchestrators", "authenticated", "-", "-", "-", "-"],
  ["public.orchestrators", "service_role", "all", "all", "all", "all"],
  ["public.rate_limits", "anon", "-", "-", "-", "-"],
  ["public.rate_limits", "authenticated", "-", "-", "-", "-"],
  ["public.rate_limits", "service_role", "all", "all", "all", "all"],
  ["public.api_requests", "anon", "-", "-", "-", "-"],
  ["public.api_requests", "authenticated", "-", "-", "-", "-"],
  ["public.api_requests", "service_role", "all", "all", "all", "all"],
  ["millrace.slots", "anon", "-", "-", "-", "-"],
  ["millrace.slots", "authenticated", "-", "-", "-", "-"],
  ["millrace.slots", "service_role", "all", "all", "all", "all"],
  ["millrace.rate_starts", "anon", "-", "-", "-", "-"],
  ["millrace.rate_starts", "authenticated", "-", "-", "-", "-"],
  ["millrace.rate_starts", "service_role", "all", "all", "all", "all"],
  ["millrace.settings", "anon", "-", "-", "-", "-"],
  ["millrace.settings", "authenticated", "-", "-", "-", "-"],
  ["millrace.settings", "service_role", "all", "-", "-", "-"],
  ["millrace.catalog", "anon", "-", "-", "-", "-"],
  ["millrace.catalog", "authenticated", "-", "-", "-", "-"],
  ["millrace.catalog", "service_role", "all", "-", "-", "-"],
  ["millrace.pulse", "anon", "-", "-", "-", "-"],
  ["millrace.pulse", "authenticated", "-", "-", "-", "-"],
  ["millrace.pulse", "service_role", "-", "-", "-", "-"],
];

type Role = "anon" | "authenticated" | "service_role";
const OPERATIONS = ["select", "insert", "update", "delete"] as const;
const JOB_OF = {
  [ALICE]: "a0000000-0000-4000-8000-00000000000a",
  [BOB]: "b0000000-0000-4000-8000-00000000000b",
};
type Owner = keyof typeof JOB_OF;

/** How a row of a table is found, written and changed. Those without an owner are everybody's. */
const ROWS: Record<string, {
  of?: (owner: Owner) => string;
  insert: (owner: Owner) => string;
  change: string;
}> = {
  "public.jobs": {
    of: (owner) => `user_id = '${owner}'`,
    insert: (owner) => `(user_id, workflow_id) values ('${owner}', 'one_step')`,
    change: "metadata = '{}'",
  },
  "public.job_steps": {
    of: (owner) => `job_id = '${JOB_OF[owner]}'`,
    insert: (owner) =>
      `(job_id, step_id, visit, attempt, status, started_at, ended_at)
       values ('${JOB_OF[owner]}', 'a', 2, 1, 'completed', now(), now())`,
    change: "output = '1'",
  },
  "public.job_events": {
    of: (owner) => `job_id = '${JOB_OF[owner]}'`,
    insert: (owner) => `(job_id, type) values ('${JOB_OF[owner]}', 'redelivered')`,
    change: "data = '1'",
  },
  "public.job_inbox": {
    of: (owner) => `job_id = '${JOB_OF[owner]}'`,
    insert: (owner) => `(job_id, kind) values ('${JOB_OF[owner]}', 'cancel')`,
    change: "payload = '{}'",
  },
  "public.approvals": {
    of: (owner) => `user_id = '${owner}'`,
    insert: (owner) =>
      `(job_id, step_id, visit, attempt, user_id, title)
       values ('${JOB_OF[owner]}', 'a', 2, 1, '${owner}', 'x')`,
    change: "title = 'y'",
  },
  "public.events": {
    of: (owner) => `user_id = '${owner}'`,
    insert: (owner) => `(user_id, name) values ('${owner}', 'x')`,
    change: "delivered_at = now(), position = 1",
  },
  "public.event_waits": {
    of: (owner) => `job_id = '${JOB_OF[owner]}'`,
    insert: (owner) =>
      `values ('${JOB_OF[owner]}', '${owner}', '${JOB_OF[owner]}', 'x', null, 'a', 1)
       on conflict (job_id) do update set visit = 2`,
    change: "key = 'y'",
  },
  "public.workflows": {
    of: () => "id = 'unused'",
    insert: () => "(id, definition) select 'x', definition from public.workflow_versions limit 1",
    change: "description = 'x'",
  },
  "public.workflow_versions": {
    insert: () => "(workflow_id, version, definition) values ('one_step', 2, '{}')",
    change: "definition = '{}'",
  },
  "public.transformers": {
    insert: () => "(id, type, target_function) values ('x', 'x', 'x')",
    change: "description = 'x'",
  },
  "public.orchestrators": {
    insert: () => "values (gen_random_uuid(), now(), now(), 0, 0, 0)",
    change: "in_flight = 1",
  },
  "public.rate_limits": {
    insert: () => `values ('${ALICE}', 'other', now(), 1)`,
    change: "used = 2",
  },
  "public.api_requests": {
    insert: () => "values ('x', 'GET', 200, 1)",
    change: "status = 201",
  },
  "millrace.slots": { insert: () => "(key, capacity) values ('y', 1)", change: "capacity = 2" },
  "millrace.rate_starts": {
    insert: () => "(key, starts_at) values ('y', now())",
    change: "key = 'z'",
  },
  "millrace.settings": { insert: () => "default values", change: "retention_days = 2" },
  "millrace.catalog": { insert: () => "default values", change: "revision = 2" },
  "millrace.pulse": { insert: () => "default values", change: "last_tick_at = now()" },
};

/** A waiting job of each user, with a row of each kind. */
async function fill(db: TestDatabase): Promise<void> {
  for (const [owner, job] of Object.entries(JOB_OF)) {
    await db.unsafe(`
      insert into public.jobs (id, user_id, workflow_id, status, completed_at)
      values ('${job}', '${owner}', 'one_step', 'pending', null);
      insert into public.job_steps (job_id, step_id, visit, attempt, status, started_at, ended_at)
      values ('${job}', 'a', 1, 1, 'completed', now(), now());
      insert into public.job_events (job_id, type) values ('${job}', 'redelivered');
      insert into public.job_inbox (job_id, kind, step_id, visit, attempt)
      values ('${job}', 'step_result', 'a', 1, 1);
      insert into public.approvals (job_id, step_id, visit, attempt, user_id, title)
      values ('${job}', 'a', 1, 1, '${owner}', 'x');
      insert into public.events (user_id, name) values ('${owner}', 'x');
      insert into public.event_waits
      values ('${job}', '${owner}', '${job}', 'x', null, 'a', 1)`).simple();
  }
  await db.unsafe(`
    insert into public.workflows (id, definition) select 'unused', definition from public.workflows;
    delete from millrace.slots;
    delete from millrace.rate_starts;
    insert into millrace.slots (key, capacity) values ('x', 1);
    insert into millrace.rate_starts (key, starts_at) values ('x', now());
    insert into public.orchestrators values (gen_random_uuid(), now(), now(), 0, 0, 0);
    insert into public.rate_limits values ('${ALICE}', 'x', now(), 1);
    insert into public.api_requests values ('x', 'GET', 200, 1)`).simple();
}

/** Does it as this role with Alice signed in, undoes it, and says what became of it. */
async function attempt(db: TestDatabase, role: Role, statement: string): Promise<string> {
  const undo = new Error("undo");
  let rows = 0;
  try {
    await as(db, role, role === "authenticated" ? ALICE : null, async (db) => {
      rows = (await db.unsafe(statement)).count;
      throw undo;
    });
  } catch (error) {
    if (error === undo) return rows > 0 ? "done" : "no rows";
    const { code, message } = error as { code?: string; message: string };
    if (code !== "42501") throw new Error(`${statement}: ${message}`, { cause: error });
    return message.startsWith("permission denied") ? "denied" : "refused by policy";
  }
  throw new Error("unreachable");
}

function statementOf(table: string, operation: string, owner: Owner): string {
  const row = ROWS[table];
  if (row === undefined) throw new Error(`no rows of ${table}`);
  const where = row.of === undefined ? "" : ` where ${row.of(owner)}`;
  switch (operation) {
    case "select":
      return `select * from ${table}${where}`;
    case "insert":
      return `insert into ${table} ${row.insert(owner)}`;
    case "update":
      return `update ${table} set ${row.change}${where}`;
    default:
      return `delete from ${table}${where}`;
  }
}

for (const [table, role, ...accesses] of MATRIX) {
  file.test(`access: ${role} on ${table}`, async (db) => {
    await fill(db);
    for (const [i, operation] of OPERATIONS.entries()) {
      const expected = accesses[i] ?? "-";
      const onOwn = await attempt(db, role, statementOf(table, operation, ALICE));
      const onOther = await attempt(db, role, statementOf(table, operation, BOB));
      const refused = operation === "insert" ? "refused by policy" : "no rows";
      assert.deepEqual(
        [onOwn, onOther],
        {
          "-": ["denied", "denied"],
          // Users delete ended jobs only, and the jobs here have not ended.
          own: [table === "public.jobs" && operation === "delete" ? "no rows" : "done", refused],
          all: ["done", "done"],
        }[expected],
        `${role} ${operation} ${table}`,
      );
    }
  });
}

file.test("access: the matrix holds every table and every role", async (db) => {
  const tables = await db`
    select c.oid::regclass::text as name from pg_class c
    where relkind in ('r', 'p') and relnamespace = 'millrace'::regnamespace
    union all
    select 'public.' || c.relname from pg_class c
    where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace`;
  const expected = tables.flatMap(({ name }) =>
    ["anon", "authenticated", "service_role"].map((role) => `${name} ${role}`)
  );
  assert.deepEqual(MATRIX.map(([table, role]) => `${table} ${role}`).sort(), expected.sort());
});

file.test("access: a user deletes his own job once it has ended, with all that hangs on it", async (db) => {
  await fill(db);
  await db`update public.jobs set status = 'cancelled', completed_at = now(), next_run_at = null`;
  const deleted = await as(db, "authenticated", ALICE, (db) => db`delete from public.jobs`);
  assert.equal(deleted.count, 1);
  const left = await db`
    select user_id from public.jobs
    union all select user_id from public.job_steps join public.jobs on id = job_id`;
  assert.deepEqual(left.map(({ user_id }) => user_id), [BOB, BOB]);
});

file.test("access: an update of all jobs changes the user's own", async (db) => {
  await fill(db);
  const update = (db: TestDatabase) => db`update public.jobs set metadata = '{"seen": true}'`;
  assert.equal((await as(db, "authenticated", ALICE, update)).count, 1);
  const rows = await db`select user_id from public.jobs where metadata ? 'seen'`;
  assert.deepEqual(rows.map(({ user_id }) => user_id), [ALICE]);
});

file.test("access: a user cannot give a job away", async (db) => {
  await fill(db);
  await assert.rejects(
    as(db, "authenticated", ALICE, (db) => db`update public.jobs set user_id = ${BOB}`),
    { code: "42501" },
  );
});

/** What a user may not put into a mailbox directly, not even that of a job of his own. */
const NOT_THEIRS: [kind: string, columns: string, values: string, refusal: RegExp][] = [
  ["step_result", "step_id, visit, attempt", "'a', 1, 1", /permission denied/],
  ["decision", "step_id, visit, attempt", "'a', 1, 1", /permission denied/],
  ["event", "payload", "'{}'", /row-level security/],
  ["spawn_refused", "payload", "'{}'", /row-level security/],
  ["retry", "payload", "'{}'", /row-level security/],
  ["pause", "payload", "'{}'", /row-level security/],
  ["resume", "payload", "'{}'", /row-level security/],
];
for (const [kind, columns, values, message] of NOT_THEIRS) {
  file.test(`access: a user puts no ${kind} into a mailbox`, async (db) => {
    await fill(db);
    await db`delete from public.job_inbox`;
    for (const job of Object.values(JOB_OF)) {
      const insert = as(
        db,
        "authenticated",
        ALICE,
        (db) =>
          db.unsafe(`insert into public.job_inbox (job_id, kind, ${columns})
          values ('${job}', '${kind}', ${values})`),
      );
      await assert.rejects(insert, { code: "42501", message });
    }
    assert.equal((await db`select from public.job_inbox`).count, 0);
  });
}

file.test("access: a user deletes no child, whose result its parent is to read", async (db) => {
  const parent = await insertJob(db, { status: "waiting" });
  const child = await insertJob(db, {
    ...{ parent_job_id: parent, parent_step_id: "each", parent_visit: 1, root_job_id: parent },
    ...{ depth: 1, workflow_version: 1, status: "completed", completed_at: new Date() },
  });
  const remove = (db: TestDatabase) => db`delete from public.jobs where id = ${child}`;
  assert.equal((await as(db, "authenticated", ALICE, remove)).count, 0);
});

file.test("access: a mailbox does not tell whether there is such a job of another", async (db) => {
  await fill(db);
  const theirs = JOB_OF[BOB];
  const cancel = (job: string) =>
    as(
      db,
      "authenticated",
      ALICE,
      (db) => db`insert into public.job_inbox (job_id, kind) values (${job}, 'cancel')`,
    );
  const refusal = { code: "42501" };
  await assert.rejects(cancel(theirs), refusal);
  await assert.rejects(cancel(crypto.randomUUID()), refusal);
  await db`update public.jobs set status = 'cancelled', completed_at = now(), next_run_at = null
    where id = ${theirs}`;
  await assert.rejects(cancel(theirs), refusal);
  const [row] = await db`select wake_requested from public.jobs where id = ${theirs}`;
  assert.equal(row?.wake_requested, true, "by what fill() has sent, and not by Alice");
});

file.test("access: a session without a user sees nothing", async (db) => {
  await fill(db);
  const rows = await as(db, "authenticated", null, (db) => db`select from public.jobs`);
  assert.equal(rows.count, 0);
});
