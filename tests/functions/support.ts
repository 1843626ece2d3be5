import { post } from "../support/call.ts";
import { openDatabase, type TestDatabase } from "../support/database.ts";
import type { TestStack } from "../support/stack.ts";
import type { TestUser } from "../support/user.ts";
import { createWorkflow } from "../support/workflow.ts";

/** Starts a job that nobody takes during the test. */
export async function startLater(
  stack: TestStack,
  owner: TestUser,
  more: Record<string, unknown> = {},
): Promise<string> {
  await using db = openDatabase(stack);
  const body = {
    workflow_id: await createWorkflow(db),
    run_at: "2040-01-31T12:00:00Z",
    ...more,
  };
  const answer = await post(stack, "workflows/start", body, owner);
  if (answer.status !== 201) throw new Error(`cannot start: ${JSON.stringify(answer.body)}`);
  return answer.body.job_id;
}

/** Inserts a job as it stands after some run, by columns; returns its id. */
export async function insertJob(
  db: TestDatabase,
  owner: TestUser,
  columns: Record<string, unknown> = {},
): Promise<string> {
  const workflow_id = columns["workflow_id"] ?? await createWorkflow(db);
  const row = { user_id: owner.id, ...columns, workflow_id };
  const [job] = await db`insert into jobs ${db(row as never)} returning id`;
  return job?.["id"];
}

/** A job that has ended as failed. */
export function insertFailedJob(
  db: TestDatabase,
  owner: TestUser,
  columns: Record<string, unknown> = {},
): Promise<string> {
  return insertJob(db, owner, {
    status: "failed",
    current_step_id: "step1",
    error: { code: "timeout", message: "took too long", retryable: true },
    error_message: "took too long",
    completed_at: new Date(),
    ...columns,
  });
}

/** A job that waits for something which never comes by itself. */
export function insertWaitingJob(
  db: TestDatabase,
  owner: TestUser,
  columns: Record<string, unknown> = {},
): Promise<string> {
  return insertJob(db, owner, { status: "waiting", current_step_id: "step1", ...columns });
}
