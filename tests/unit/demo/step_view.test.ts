import assert from "node:assert/strict";
import type { Attempt, Job, Workflow } from "../../../demo/client.ts";
import { viewSteps } from "../../../demo/step_view.ts";

const WORKFLOW: Workflow = {
  id: "w",
  description: "",
  definition: {
    start_step: "a",
    steps: {
      a: { title: "First", next_step: "b" },
      b: { transformer_id: "echo", next_step: "c" },
      c: { next_step: "a" },
      rescue: { title: "Rescue" },
    },
  },
};

function job(columns: Partial<Job>): Job {
  return { status: "running", current_step_id: null, step_data: {}, ...columns } as Job;
}

function attempt(columns: Partial<Attempt>): Attempt {
  return { visit: 1, attempt: 1, status: "completed", error: null, ...columns } as Attempt;
}

const entry = { status: "completed", output: 1, error: null } as const;

Deno.test("viewSteps() follows the main path once, and has all ahead at first", () => {
  const steps = viewSteps(WORKFLOW, undefined);
  assert.deepEqual(steps.map(({ id, title, state }) => [id, title, state]), [
    ["a", "First", "ahead"],
    ["b", "echo", "ahead"],
    ["c", "", "ahead"],
  ]);
});

Deno.test("viewSteps() adds a step that the job went to off the main path", () => {
  const snapshot = { job: job({ step_data: { rescue: entry } }), attempts: [] };
  assert.deepEqual(viewSteps(WORKFLOW, snapshot).map(({ id }) => id), ["a", "b", "c", "rescue"]);
});

Deno.test("viewSteps() counts attempts, and time from the first to the last", () => {
  const attempts = [
    attempt({
      step_id: "a",
      status: "failed",
      started_at: "2026-01-01T00:00:00Z",
      ended_at: "2026-01-01T00:00:01Z",
    }),
    attempt({
      step_id: "a",
      attempt: 2,
      started_at: "2026-01-01T00:00:02Z",
      ended_at: "2026-01-01T00:00:03.5Z",
    }),
  ];
  const [a] = viewSteps(WORKFLOW, { job: job({ step_data: { a: entry } }), attempts });
  assert.deepEqual([a?.state, a?.attempts, a?.milliseconds, a?.output], ["completed", 2, 3500, 1]);
});

const states = [
  ["running", "running"],
  ["pending", "running"],
  ["awaiting_retry", "retrying"],
  ["failed", "failed"],
  ["cancelled", "failed"],
] as const;
for (const [status, state] of states) {
  Deno.test(`viewSteps() has the current step of a ${status} job as ${state}`, () => {
    const snapshot = { job: job({ status, current_step_id: "b" }), attempts: [] };
    const steps = viewSteps(WORKFLOW, snapshot);
    assert.deepEqual(steps.map((step) => step.state), ["ahead", state, "ahead"]);
  });
}
