import assert from "node:assert/strict";
import type { TestDatabase } from "../../support/database.ts";
import { privateDatabase } from "../../support/private_database.ts";
import { insertJob } from "../../support/engine.ts";
import { TOKEN } from "../../support/engine.ts";

const file = await privateDatabase();
const NOW = "2030-01-01T00:00:00Z";
const LEASE = { status: "running", lease_token: TOKEN, next_run_at: NOW };
const DECIDED = { status: "approved", decided_at: NOW };
const ENDED = { status: "completed", completed_at: NOW };

/** Every row of `jobs` here is refused, by the constraint of that name. */
const JOBS: [constraint: string, columns: Record<string, unknown>][] = [
  ["jobs_status_known", { status: "sleeping" }],
  ["jobs_step_data_object", { step_data: [] }],
  ["jobs_metadata_object", { metadata: [] }],
  ["jobs_metadata_size", { metadata: { text: "x".repeat(70_000) } }],
  ["jobs_state_object", { state: [] }],
  ["jobs_metadata_size", { metadata: { a: Array(1_000).fill(1e308) } }],
  ["jobs_retry_count_positive", { retry_count: -1 }],
  ["jobs_max_retries_range", { max_retries: -1 }],
  ["jobs_max_retries_range", { max_retries: 1001 }],
  ["jobs_priority_range", { priority: -1 }],
  ["jobs_priority_range", { priority: 10 }],
  ["jobs_idempotency_key_length", { idempotency_key: "" }],
  ["jobs_idempotency_key_length", { idempotency_key: "k".repeat(201) }],
  ["jobs_parent_complete", { parent_step_id: "a" }],
  ["jobs_parent_complete", { parent_visit: 1 }],
  ["jobs_depth_range", { depth: -1 }],
  ["jobs_parent_complete", { depth: 1 }],
  ["jobs_counts_not_negative", { run_number: 0 }],
  ["jobs_counts_not_negative", { open_children: -1 }],
  ["jobs_counts_not_negative", { failed_children: -1 }],
  ["jobs_ended_has_no_open_children", { ...ENDED, open_children: 1 }],
  ["jobs_open_children_are_awaited", { open_children: 1 }],
  ["jobs_open_children_are_awaited", { open_children: 1, state: { waiting: { kind: "timer" } } }],
  ["jobs_waits_to_start_while_pending", { ...LEASE, queue_place: 1 }],
  ["jobs_waits_to_start_while_pending", { status: "waiting", queue_place: 1 }],
  ["jobs_waits_to_start_while_pending", { ...LEASE, wanted_slot: "x" }],
  ["jobs_schedule_matches_status", { status: "running" }],
  ["jobs_schedule_matches_status", { ...LEASE, next_run_at: null }],
  ["jobs_schedule_matches_status", { ...LEASE, status: "pending" }],
  ["jobs_schedule_matches_status", { ...LEASE, status: "waiting" }],
  ["jobs_schedule_matches_status", { ...LEASE, status: "paused" }],
  ["jobs_schedule_matches_status", { status: "awaiting_retry", next_run_at: NOW }],
  ["jobs_schedule_matches_status", { status: "awaiting_retry", next_retry_at: NOW }],
  ["jobs_schedule_matches_status", { ...ENDED, next_run_at: NOW }],
  ["jobs_schedule_matches_status", { ...ENDED, lease_token: TOKEN }],
  ["jobs_ended_has_end_time", { status: "cancelled" }],
  ["jobs_ended_has_end_time", { completed_at: NOW }],
  ["jobs_failed_has_error", { ...ENDED, status: "failed" }],
  ["jobs_started_before_ended", { ...ENDED, started_at: "2030-01-01T00:00:01Z" }],
];

for (const [constraint, columns] of JOBS) {
  file.test(`${constraint} refuses ${JSON.stringify(columns).slice(0, 80)}`, async (db) => {
    await assert.rejects(insertJob(db, columns), { code: "23514", constraint_name: constraint });
  });
}

file.test("jobs_run_at_range refuses a time that never comes, or that no ISO date can say", async (db) => {
  for (const time of ["infinity", "-infinity", "10000-01-01 00:00:00+00"]) {
    await assert.rejects(
      db`insert into public.jobs (user_id, workflow_id, run_at)
        select id, 'one_step', ${time}::text::timestamptz from auth.users limit 1`,
      { code: "23514", constraint_name: "jobs_run_at_range" },
    );
  }
});

file.test("jobs_workflow_version_fk refuses a version that was never", async (db) => {
  await assert.rejects(insertJob(db, { workflow_version: 2 }), {
    constraint_name: "jobs_workflow_version_fk",
  });
});

file.test("jobs_parent_fk refuses a parent that does not exist", async (db) => {
  await assert.rejects(
    insertJob(db, { parent_job_id: TOKEN, parent_step_id: "a", parent_visit: 1 }),
    { constraint_name: "jobs_parent_fk" },
  );
});

file.test("jobs_user_fk refuses a user who does not exist", async (db) => {
  await assert.rejects(insertJob(db, { user_id: TOKEN }), { constraint_name: "jobs_user_fk" });
});

/** A row of another table, as the columns that differ from a good one. */
type Insert = (db: TestDatabase, job: string, columns: Record<string, unknown>) => Promise<unknown>;

const OTHERS: Record<string, {
  good: Record<string, unknown>;
  bad: [constraint: string, columns: Record<string, unknown>][];
  hasJob?: boolean;
}> = {
  "public.job_steps": {
    hasJob: true,
    good: {
      step_id: "a",
      visit: 1,
      attempt: 1,
      status: "completed",
      started_at: NOW,
      ended_at: NOW,
    },
    bad: [
      ["job_steps_visit_positive", { visit: 0 }],
      ["job_steps_attempt_not_negative", { attempt: -1 }],
      ["job_steps_status_known", { status: "running" }],
      ["job_steps_started_before_ended", { started_at: "2030-01-01T00:00:01Z" }],
      ["job_steps_failed_has_error", { status: "failed" }],
      ["job_steps_failed_has_error", { error: { code: "timeout" } }],
    ],
  },
  "public.job_events": {
    hasJob: true,
    good: { type: "late_result_dropped" },
    bad: [
      ["job_events_type_format", { type: "" }],
      ["job_events_type_format", { type: "Late" }],
    ],
  },
  "public.job_inbox": {
    hasJob: true,
    good: { kind: "cancel" },
    bad: [
      ["job_inbox_kind_known", { kind: "greeting" }],
      ["job_inbox_payload_object", { payload: [] }],
      ["job_inbox_payload_size", { payload: { reason: "x".repeat(9_000) } }],
      ["job_inbox_payload_size", { kind: "pause", payload: { a: Array(100).fill(1e308) } }],
      ["job_inbox_payload_size", { kind: "event", payload: { a: "x".repeat(4_260_000) } }],
      ["job_inbox_payload_size", {
        kind: "spawn_refused",
        payload: { a: Array(20_000).fill(1e308) },
      }],
      ["job_inbox_result_names_attempt", { kind: "step_result" }],
      ["job_inbox_result_names_attempt", { kind: "step_result", step_id: "a", visit: 1 }],
      ["job_inbox_result_names_attempt", { kind: "decision", step_id: "a", visit: 1 }],
    ],
  },
  "public.approvals": {
    hasJob: true,
    good: { step_id: "a", visit: 1, attempt: 1, user_id: TOKEN, title: "May I?" },
    bad: [
      ["approvals_visit_positive", { visit: 0 }],
      ["approvals_attempt_positive", { attempt: 0 }],
      ["approvals_status_known", { status: "maybe", decided_at: NOW }],
      ["approvals_closed_has_time", { status: "approved" }],
      ["approvals_closed_has_time", { decided_at: NOW }],
      ["approvals_only_decisions_have_answers", { notes: "no" }],
      ["approvals_notes_length", { ...DECIDED, notes: "x".repeat(10_001) }],
      ["approvals_form_data_size", { ...DECIDED, form_data: { a: "x".repeat(1_048_576) } }],
    ],
  },
  "public.events": {
    good: { name: "paid", key: "1", payload: "[]" },
    bad: [
      ["events_name_length", { name: "" }],
      ["events_name_length", { name: "x".repeat(201) }],
      ["events_key_length", { key: "" }],
      ["events_key_length", { key: "x".repeat(201) }],
      ["events_payload_size", { payload: "x".repeat(65_536) }],
      ["events_position_once_begun", { delivered_at: NOW }],
      ["events_position_once_begun", { position: 1 }],
    ],
  },
  "millrace.slots": {
    good: { key: "x", capacity: 1 },
    bad: [
      ["slots_capacity_positive", { capacity: 0 }],
      ["slots_in_use_not_negative", { in_use: -1 }],
    ],
  },
  "public.transformers": {
    good: { id: "x", type: "x", target_function: "execute-x" },
    bad: [
      ["transformers_id_format", { id: "no spaces" }],
      ["transformers_type_length", { type: "" }],
      ["transformers_config_object", { config: [] }],
      ["transformers_target_function_format", { target_function: "../execute" }],
      ["transformers_target_function_format", { target_function: "a/b" }],
      ["transformers_target_function_format", { target_function: "a?b" }],
      ["transformers_batch_size_range", { batch_size: 0 }],
      ["transformers_batch_size_range", { batch_size: 1001 }],
      ["transformers_retry_object", { retry: [] }],
    ],
  },
  "public.workflows": {
    good: { id: "x", definition: { start_step: "a", steps: { a: { transformer_id: "echo" } } } },
    bad: [
      ["workflows_id_format", { id: "" }],
      ["workflows_id_format", { id: "a/b" }],
      ["workflows_id_format", { id: "a".repeat(129) }],
    ],
  },
  "public.rate_limits": {
    good: { user_id: TOKEN, scope: "x", window_start: NOW, used: 1 },
    bad: [["rate_limits_used_positive", { used: 0 }]],
  },
};

const insertInto = (table: string, hasJob = false): Insert => (db, job, columns) => {
  const row = hasJob ? { job_id: job, ...columns } : columns;
  return db`insert into ${db(table)} ${db(row as never)}`;
};

for (const [table, { good, bad, hasJob }] of Object.entries(OTHERS)) {
  const insert = insertInto(table, hasJob);
  file.test(`${table}: a good row is taken, every bad one refused by name`, async (db) => {
    const job = await insertJob(db);
    for (const [constraint, columns] of bad) {
      await assert.rejects(
        insert(db, job, { ...good, ...columns }),
        { code: "23514", constraint_name: constraint },
        `${constraint} took ${JSON.stringify(columns)}`,
      );
    }
    await insert(db, job, good);
  });
}

const SETTINGS: [constraint: string, assignment: string][] = [
  ["settings_max_orchestrators", "max_orchestrators = 0"],
  ["settings_max_orchestrators", "max_orchestrators = 101"],
  ["settings_jobs_per_orchestrator", "jobs_per_orchestrator = 0"],
  ["settings_retention_days", "retention_days = 0"],
  ["settings_callback_secret", "callback_secret = 'short'"],
  ["settings_one_row", "id = false"],
  ["settings_alert_failure_rate", "alert_failure_rate = 1.1"],
  ["settings_alert_failed_jobs", "alert_failed_jobs = 0"],
  ["settings_alert_stalled_seconds", "alert_stalled_seconds = 0"],
  ["settings_alert_running_seconds", "alert_running_seconds = 0"],
  ["settings_alert_queue_seconds", "alert_queue_seconds = 0"],
  ["settings_alert_queue_length", "alert_queue_length = 0"],
  ["settings_alert_tick_seconds", "alert_tick_seconds = 0"],
];

file.test("millrace.settings: every value out of range is refused by name", async (db) => {
  for (const [constraint, assignment] of SETTINGS) {
    await assert.rejects(
      db.unsafe(`update millrace.settings set ${assignment}`),
      { code: "23514", constraint_name: constraint },
      `${constraint} took ${assignment}`,
    );
  }
});

file.test("constraints: each check of the schema is tried above", async (db) => {
  const tried = new Set([
    ...JOBS.map(([name]) => name),
    ...Object.values(OTHERS).flatMap(({ bad }) => bad.map(([name]) => name)),
    ...SETTINGS.map(([name]) => name),
    "jobs_run_at_range",
    // Cannot be reached: triggers and other checks come before, or there is but one row.
    ...[
      "workflows_version_positive",
      "jobs_state_history_array",
      "pulse_one_row",
      "catalog_one_row",
    ],
  ]);
  const rows = await db`
    select conname from pg_constraint
    where contype = 'c' and connamespace in ('public'::regnamespace, 'millrace'::regnamespace)
    order by conname`;
  assert.deepEqual(rows.map(({ conname }) => conname).filter((name) => !tried.has(name)), []);
});
