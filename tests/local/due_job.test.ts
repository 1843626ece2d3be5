import assert from "node:assert/strict";
import { describeDueJob, type DueJob } from "../../local/clock/due_job.ts";

const JOB: DueJob = {
  job_id: "7",
  workflow_id: "order_v1",
  status: "waiting",
  step_id: "charge",
  due_at: "2030-01-01T00:00:00Z",
  retry: 0,
  error_code: null,
  waiting: null,
  event: null,
  is_deadline: false,
};

for (
  const [columns, reason] of [
    [{ status: "pending", step_id: null }, "it is to start"],
    [{ status: "running" }, "step 'charge' runs, and its lease ends"],
    [{ status: "running", step_id: null }, "its step runs, and its lease ends"],
    [{ status: "awaiting_retry", retry: 2 }, "retry 2 of step 'charge', which failed"],
    [
      { status: "awaiting_retry", retry: 1, error_code: "network" },
      "retry 1 of step 'charge', which failed with network",
    ],
    [{ waiting: "timer" }, "step 'charge' has waited long enough"],
    [{ waiting: "event", event: "paid" }, "step 'charge' waits for event 'paid' no longer"],
    [{ waiting: "callback" }, "step 'charge' waits for its callback no longer"],
    [{ waiting: "approval" }, "step 'charge' waits for its approval no longer"],
    [{ waiting: "children" }, "step 'charge' waits for its children no longer"],
    [{ waiting: "start" }, "step 'charge' goes on"],
    [{ status: "paused", is_deadline: true }, "its timeout_seconds are over"],
    [{ status: "paused" }, "it is paused"],
  ] as [Partial<DueJob>, string][]
) {
  Deno.test(`describeDueJob() says: ${reason}`, () => {
    assert.equal(describeDueJob({ ...JOB, ...columns }), `job 7 of order_v1: ${reason}`);
  });
}
