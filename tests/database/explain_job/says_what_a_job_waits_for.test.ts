import assert from "node:assert/strict";
import { privateDatabase } from "../../support/private_database.ts";
import { insertJob } from "../../support/engine.ts";
import { at, explain, type Explained, explainTests } from "../../support/explain.ts";
import { insertApproval } from "../../support/approvals.ts";

const test = explainTests(await privateDatabase());

const LEASE = "1a2b3c4d-0000-4000-8000-000000000001";
const error = (code: string, message: string) => ({ code, message, retryable: true });
const waiting = (kind: string, more: Record<string, unknown> = {}) => ({
  status: "waiting",
  current_step_id: "s",
  state: { attempt: 1, waiting: { kind, since: at(-60), until: null, ...more } },
});

type Expected = Pick<Explained, "reason" | "explanation" | "action">;
const CASES: [name: string, columns: Record<string, unknown>, Expected][] = [
  ["is scheduled", { run_at: at(300) }, {
    reason: "scheduled",
    explanation: "Job is scheduled to start at 2030-01-08T12:05:00Z (in 5 minutes)",
    action: "Nothing to do: it starts by itself",
  }],
  ["is due", { created_at: at(-4) }, {
    reason: "not_started",
    explanation: "Job has been due since 2030-01-08T11:59:56Z (4 s ago), with 0 due jobs before it",
    action: "Nothing to do: an orchestrator takes it up within moments",
  }],
  ["has been due for long", { created_at: at(-61) }, {
    reason: "not_started",
    explanation:
      "Job has been due since 2030-01-08T11:58:59Z (61 s ago), with 0 due jobs before it",
    action:
      "Look at the view alerts; where more is due than the orchestrators take, raise max_orchestrators in millrace.settings",
  }],
  ["waits for the rate limit", {
    status: "pending",
    next_run_at: at(7_200),
    started_at: at(-1),
    created_at: at(-1),
    state: { not_before: at(7_200) },
  }, {
    reason: "waits_for_rate_limit",
    explanation:
      "Job waits for its turn in the rate limit of workflow 'one_step' and starts at 2030-01-08T14:00:00Z (in 2 hours)",
    action:
      "Nothing to do: it starts by itself; for more starts raise rate_limit.max_starts of the workflow",
  }],
  ["is leased", {
    status: "running",
    current_step_id: "charge",
    state: { attempt: 2 },
    lease_token: LEASE,
    next_run_at: at(12),
  }, {
    reason: "leased",
    explanation:
      "Step 'charge' is being made (attempt 2) by orchestrator 1a2b3c4d…, whose lease expires in 12 s (2030-01-08T12:00:12Z)",
    action:
      "Nothing to do: it goes on when the attempt ends, and another orchestrator takes over when the lease expires",
  }],
  ["is leased and to pause", {
    status: "running",
    current_step_id: "charge",
    state: { paused: true },
    lease_token: LEASE,
    next_run_at: at(12),
  }, {
    reason: "leased",
    explanation:
      "Step 'charge' is being made (attempt 1) by orchestrator 1a2b3c4d…, whose lease expires in 12 s (2030-01-08T12:00:12Z)",
    action: "A pause is requested: the job stops when the attempt ends; resume it to have it go on",
  }],
  ["was lost", {
    status: "running",
    current_step_id: "charge",
    state: {},
    lease_token: LEASE,
    next_run_at: at(-4),
  }, {
    reason: "lease_expired",
    explanation:
      "The lease of orchestrator 1a2b3c4d… on step 'charge' (attempt 1) expired at 2030-01-08T11:59:56Z (4 s ago): it was lost",
    action: "Nothing to do: another orchestrator takes it over within moments",
  }],
  ["was lost again and again", {
    status: "running",
    current_step_id: "charge",
    state: {},
    lease_token: LEASE,
    next_run_at: at(-4),
    redeliveries: 2,
  }, {
    reason: "lease_expired",
    explanation:
      "The lease of orchestrator 1a2b3c4d… on step 'charge' (attempt 1) expired at 2030-01-08T11:59:56Z (4 s ago): it was lost",
    action:
      "Another orchestrator takes it over, as happened 2 times before: look at the logs of the executor, which may be killed by this step",
  }],
  ["waits for a retry", {
    status: "awaiting_retry",
    current_step_id: "charge",
    next_run_at: at(12),
    next_retry_at: at(12),
    error: error("http_5xx", "The server answered 503"),
    error_message: "The server answered 503",
  }, {
    reason: "waits_for_retry",
    explanation:
      "Step 'charge' failed with http_5xx (The server answered 503) and is tried again at 2030-01-08T12:00:12Z (in 12 s)",
    action: "Nothing to do: it is tried again by itself",
  }],
  ["waits for a timer", waiting("timer", { until: at(172_800) }), {
    reason: "waits_for_timer",
    explanation: "Step 's' waits until 2030-01-10T12:00:00Z (in 2 days)",
    action: "Nothing to do: it goes on by itself",
  }],
  ["waits for a callback", waiting("callback", { until: at(3_600) }), {
    reason: "waits_for_callback",
    explanation:
      "Step 's' (attempt 1) was accepted by its executor and waits for its callback until 2030-01-08T13:00:00Z (in 60 minutes)",
    action: "Finish it with the token of its task: complete_step() or fail_step()",
  }],
  ["starts a job of its own", waiting("start"), {
    reason: "waits_for_start",
    explanation: "Step 's' starts a job of its own",
    action: "Nothing to do: an orchestrator takes it up within moments",
  }],
];

for (const [name, columns, expected] of CASES) {
  test(`of a job that ${name}`, async (db) => {
    const json = Object.fromEntries(
      Object.entries(columns).map(([key, value]) => [
        key,
        typeof value === "object" && value !== null ? db.json(value as never) : value,
      ]),
    );
    const id = await insertJob(db, json);
    const { job_id, status, reason, explanation, action } = await explain(db, id);
    assert.deepEqual({ reason, explanation, action }, expected);
    assert.deepEqual([job_id, status], [id, columns.status ?? "pending"]);
  });
}

for (
  const [key, until, text] of [
    ["A1", null, "for the event 'paid' with the key 'A1' for as long as it takes"],
    [null, at(90), "for the event 'paid' until 2030-01-08T12:01:30Z (in 90 s)"],
  ] as const
) {
  test(`names the event with ${key === null ? "any key" : "its key"}`, async (db) => {
    const { state, ...columns } = waiting("event", { event: "paid", key, until, after: 0 });
    const id = await insertJob(db, { ...columns, state: db.json(state as never) });
    const { reason, explanation, action, details } = await explain(db, id);
    assert.equal(reason, "waits_for_event");
    assert.equal(explanation, `Step 's' waits ${text}`);
    assert.equal(
      action,
      `Emit it at POST /events, or for this job alone at POST /jobs/${id}/signal`,
    );
    assert.deepEqual([details.event, details.key], ["paid", key]);
  });
}

for (
  const [assignees, whom] of [
    [null, "the owner of the job"],
    [[], "nobody"],
    [["finance", "bob@example.com"], "finance, bob@example.com"],
    [Array.from({ length: 12 }, (_, n) => `r${n}`), "r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, …"],
  ] as [string[] | null, string][]
) {
  test(`names those who may decide: ${whom}`, async (db) => {
    const { state, ...columns } = waiting("approval");
    const job_id = await insertJob(db, { ...columns, state: db.json(state as never) });
    const { id } = await insertApproval(db, { job_id, assignees });
    const { reason, explanation, action, details } = await explain(db, job_id);
    assert.equal(reason, "waits_for_approval");
    assert.equal(
      explanation,
      `Step 's' waits for the decision of ${whom} on 'Pay?' for as long as it takes`,
    );
    assert.equal(action, `Decide approval ${id} at POST /approvals/${id}/decision`);
    assert.equal(details.approval_id, id);
  });
}

test("tells that a decision has been made and not been read", async (db) => {
  const { state, ...columns } = waiting("approval");
  const job_id = await insertJob(db, { ...columns, state: db.json(state as never) });
  await insertApproval(db, { job_id, status: "approved", decided_at: at(-1) });
  const { explanation } = await explain(db, job_id);
  assert.equal(explanation, "Step 's' waits for a decision that has been made or withdrawn");
});

test("tells that a pausing job and a paused one wait to be resumed", async (db) => {
  const paused = await insertJob(db);
  await db`update public.jobs set status = 'paused', next_run_at = null, queue_place = null`;
  const pausing = await insertJob(db, {
    status: "waiting",
    state: db.json({ paused: true, waiting: { kind: "children" } }),
    open_children: 2,
  });
  const first = await explain(db, paused);
  assert.equal(first.reason, "paused");
  assert.equal(
    first.explanation,
    "Job is paused since 2030-01-08T12:00:00Z (less than a second ago)",
  );
  assert.equal(
    first.action,
    `Resume it at POST /jobs/${paused}/resume, or cancel it at POST /jobs/${paused}/cancel`,
  );
  const second = await explain(db, pausing);
  assert.deepEqual([second.reason, second.explanation], [
    "paused",
    "Job is paused, with 2 open children",
  ]);
});

test("shows what lies unread in the mailbox", async (db) => {
  const id = await insertJob(db);
  await db`select public.cancel_job(${id}), public.pause_job(${id})`;
  assert.deepEqual((await explain(db, id)).details.unread_messages, ["cancel", "pause"]);
});
