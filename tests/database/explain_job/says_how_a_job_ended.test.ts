import assert from "node:assert/strict";
import { privateDatabase } from "../../support/private_database.ts";
import { insertJob } from "../../support/engine.ts";
import { at, explain, explainTests } from "../../support/explain.ts";
import type { TestDatabase } from "../../support/database.ts";

const test = explainTests(await privateDatabase());

const ended = (db: TestDatabase, status: string, code?: string, message = "it broke") =>
  insertJob(db, {
    status,
    current_step_id: "a",
    completed_at: at(-120),
    ...(code === undefined ? {} : {
      error: db.json({ code, message, retryable: false }),
      error_message: message,
    }),
  });

test("of a completed job", async (db) => {
  const { reason, explanation, action } = await explain(db, await ended(db, "completed"));
  assert.deepEqual([reason, explanation, action], [
    "completed",
    "Job completed at 2030-01-08T11:58:00Z (2 minutes ago)",
    "Nothing to do: its result is final_result",
  ]);
});

test("of a cancelled job", async (db) => {
  const id = await ended(db, "cancelled", "cancelled", "no longer needed");
  const { reason, explanation, action } = await explain(db, id);
  assert.deepEqual([reason, explanation, action], [
    "cancelled",
    "Job was cancelled at 2030-01-08T11:58:00Z (2 minutes ago): no longer needed",
    `To run it after all, retry it at POST /jobs/${id}/retry`,
  ]);
});

for (
  const [code, advice] of [
    ["http_4xx", "See to the error, then "],
    ["config_invalid", "Correct the config of the step or its transformer, then "],
    [
      "secret_missing",
      "Set the environment variable that the error names with supabase secrets set, then ",
    ],
    ["transformer_not_found", "Insert the transformer, then "],
    ["executor_unreachable", "Deploy the function 'execute-echo' and check its logs, then "],
    ["executor_crashed", "Look at the logs of the function 'execute-echo', then "],
  ] as const
) {
  test(`of a job that failed with ${code}`, async (db) => {
    const id = await ended(db, "failed", code);
    await db`insert into public.job_steps
      (job_id, step_id, visit, attempt, status, transformer_id, error, started_at, ended_at)
      values (${id}, 'a', 1, 1, 'failed', 'echo', '{}', now(), now())`;
    const { reason, explanation, action } = await explain(db, id);
    assert.deepEqual([reason, explanation, action], [
      "failed",
      `Job failed at 2030-01-08T11:58:00Z (2 minutes ago) in step 'a' with ${code}: it broke`,
      `${advice}retry it at POST /jobs/${id}/retry`,
    ]);
  });
}

test("of a failed job whose function is not known any more", async (db) => {
  const id = await ended(db, "failed", "executor_unreachable");
  const { action } = await explain(db, id);
  assert.equal(
    action,
    `Deploy the function of the step's transformer and check its logs, then retry it at POST /jobs/${id}/retry`,
  );
});
