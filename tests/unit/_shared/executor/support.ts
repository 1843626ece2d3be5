import {
  serveExecutor,
  type ServeOptions,
} from "../../../../supabase/functions/_shared/executor/serve.ts";
import type { TaskHandler } from "../../../../supabase/functions/_shared/executor/handler.ts";
import type {
  Task,
  TaskResult,
} from "../../../../supabase/functions/_shared/contracts/executor.ts";
import { taskResultSchema } from "../../../../supabase/functions/_shared/contracts/executor.ts";
import { createLog, type LogFields } from "../../../../supabase/functions/_shared/log.ts";

export const SECRET = "sb_secret_test";

/** A task that fits the contract, and is due in a minute. */
export function aTask(over: Partial<Task> = {}): Task {
  return {
    task_id: crypto.randomUUID(),
    idempotency_key: "job:step:1:1",
    job_id: "0b0c7e4e-7c2c-4f0e-9d55-0d4f4f6f1a11",
    workflow_id: "hello_v1",
    step_id: "hello",
    attempt: 1,
    deadline: new Date(Date.now() + 60_000).toISOString(),
    transformer_id: "a-transformer",
    type: "test",
    config: {},
    input: {},
    trace_id: "0123456789abcdef0123456789abcdef",
    ...over,
  };
}

export interface Harness {
  call(request: Request): Promise<Response>;
  /** What was logged, one object per line. */
  lines: LogFields[];
}

/** An executor whose environment and log are the test's own. */
export function anExecutor(
  handler: TaskHandler,
  env: Record<string, string> = {},
  options: ServeOptions = {},
): Harness {
  const lines: LogFields[] = [];
  const variables: Record<string, string> = {
    SUPABASE_SECRET_KEYS: JSON.stringify({ default: SECRET }),
    ...env,
  };
  const log = createLog({ function: "execute-test" }, {
    level: variables["LOG_LEVEL"] ?? "debug",
    write: (line) => lines.push(JSON.parse(line)),
  });
  const call = serveExecutor("execute-test", handler, {
    read: (name) => variables[name],
    log,
    ...options,
  });
  return { call, lines };
}

/** The orchestrator's call; a string is sent as it is. */
export function aCall(body: Task[] | string, over: RequestInit = {}): Request {
  return new Request("http://functions.test/execute-test", {
    method: "POST",
    headers: { apikey: SECRET, "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify({ tasks: body }),
    ...over,
  });
}

/** Runs tasks and reads every result, by task id. */
export async function resultsOf(
  harness: Harness,
  tasks: Task[],
): Promise<Map<string, TaskResult>> {
  const response = await harness.call(aCall(tasks));
  const results = parseLines(await response.text());
  return new Map(results.map((result) => [result.task_id, result]));
}

/** Runs one task and returns its result. */
export async function resultOf(harness: Harness, task: Task = aTask()): Promise<TaskResult> {
  const result = (await resultsOf(harness, [task])).get(task.task_id);
  if (result === undefined) throw new Error("no result for the task");
  return result;
}

/** Every line must fit the contract. */
export function parseLines(text: string): TaskResult[] {
  return text.split("\n").filter((line) => line !== "")
    .map((line) => taskResultSchema.parse(JSON.parse(line)));
}
