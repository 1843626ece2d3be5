import type { ReportedError, Task } from "../contracts/executor.ts";
import { ACCEPTED, type TaskHandler } from "./handler.ts";
import type { Log } from "../log.ts";
import { serializeOutput } from "./output.ts";
import { reportOf, timeoutReport } from "./report.ts";

/** The longest delay that a timer can take, in milliseconds: about 24.8 days. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Of a task whose caller has gone away: it stands in the log, as nobody reads its line. */
const ABANDONED: ReportedError = {
  code: "cancelled",
  message: "Cannot deliver a result as the caller has gone away",
};

/** What tasks of a batch have in common. */
export interface TaskRun {
  handler: TaskHandler;
  log: Log;
  logPayloads: boolean;
  maxPayloadBytes: number;
  /** Stops of the tasks under way: aborting them all is how a batch is abandoned. */
  stops: Set<AbortController>;
}

/** How a task ended, and the line that tells the orchestrator. */
export interface TaskEnd {
  status: "completed" | "failed" | "accepted";
  line: string;
}

type Outcome =
  | { status: "completed"; outputText: string }
  | { status: "accepted" }
  | { status: "failed"; error: ReportedError; cause: unknown };

/** Runs one task until it ends or its deadline passes; never rejects. */
export async function runTask(task: Task, run: TaskRun): Promise<TaskEnd> {
  const startedAt = performance.now();
  const log = run.log.with({
    job_id: task.job_id,
    step_id: task.step_id,
    transformer_id: task.transformer_id,
    attempt: task.attempt,
    ...(task.trace_id === undefined ? {} : { trace_id: task.trace_id }),
  });
  log.debug("task_started", run.logPayloads ? { input: task.input } : {});
  const outcome = await decide(task, run, log);
  const duration_ms = Math.round((performance.now() - startedAt) * 1000) / 1000;
  const head = `{"task_id":${JSON.stringify(task.task_id)},"status":"${outcome.status}"`;
  if (outcome.status === "failed") {
    const { code, message } = outcome.error;
    log[code === "internal" ? "error" : "warn"]("task_failed", {
      duration_ms,
      error_code: code,
      error_message: message,
      ...(code === "internal" ? { error: outcome.cause } : {}),
    });
    return {
      status: "failed",
      line: `${head},"error":${JSON.stringify(outcome.error)}}\n`,
    };
  }
  if (outcome.status === "accepted") {
    log.debug("task_accepted", { duration_ms });
    return { status: "accepted", line: `${head}}\n` };
  }
  log.debug("task_completed", {
    duration_ms,
    ...(run.logPayloads ? { output: outcome.outputText } : {}),
  });
  return {
    status: "completed",
    line: `${head},"output":${outcome.outputText}}\n`,
  };
}

async function decide(task: Task, run: TaskRun, log: Log): Promise<Outcome> {
  const stop = new AbortController();
  run.stops.add(stop);
  try {
    const remainingMs = Date.parse(task.deadline) - Date.now();
    if (remainingMs <= 0) throw new DeadlinePassed();
    const returned = run.handler(task, { signal: stop.signal, log });
    const output = isPromise(returned) ? await untilStopped(returned, stop, remainingMs) : returned;
    if (output === ACCEPTED) return { status: "accepted" };
    return {
      status: "completed",
      outputText: serializeOutput(output, run.maxPayloadBytes),
    };
  } catch (cause) {
    // Whatever a handler throws once its time is up, its time was up.
    const late = cause instanceof DeadlinePassed ||
      stop.signal.reason instanceof DeadlinePassed;
    const error = late ? timeoutReport() : stop.signal.aborted ? ABANDONED : reportOf(cause);
    return { status: "failed", error, cause };
  } finally {
    run.stops.delete(stop);
  }
}

/**
 * Waits for a handler, but no longer than its deadline: one that ignores its signal is left to
 * itself, and what it says later is dropped.
 */
function untilStopped(
  working: Promise<unknown>,
  stop: AbortController,
  remainingMs: number,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => stop.abort(new DeadlinePassed()),
      Math.min(remainingMs, MAX_TIMER_MS),
    );
    const giveUp = () => finish(() => reject(stop.signal.reason));
    const finish = (settle: () => void) => {
      clearTimeout(timer);
      stop.signal.removeEventListener("abort", giveUp);
      settle();
    };
    stop.signal.addEventListener("abort", giveUp);
    working.then(
      (output) => finish(() => resolve(output)),
      (error) => finish(() => reject(error)),
    );
  });
}

/** An AbortError by name, so that libraries take it for what it is. */
class DeadlinePassed extends DOMException {
  constructor() {
    super("The task's deadline has passed", "AbortError");
  }
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof value === "object" && value !== null && "then" in value &&
    typeof value.then === "function";
}
