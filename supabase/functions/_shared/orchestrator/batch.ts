import { type ErrorInfo, errorInfo } from "../contracts/errors.ts";
import { type TaskResult, taskResultSchema } from "../contracts/executor.ts";
import type { AttemptResult } from "../engine/decision.ts";
import { toErrorInfo } from "../engine/reported_error.ts";
import type { Log } from "../log.ts";
import type { DeliveryEnd, TaskOut } from "./dispatcher.ts";
import { outputFault, storableError } from "./storable.ts";

/** Beyond its time limit an executor has this long to report the timeout itself. */
const GRACE_MS = 1_000;

/** What an answer most often means. */
const HINTS: Readonly<Record<number, string>> = {
  401: ": is verify_jwt = false set for it in config.toml, and in force?",
  404: ": is the function deployed?",
  503: ": does the function start? Its log says why not",
};

/** Answers of the platform that say that the worker was killed while it worked. */
const KILLED_STATUSES: ReadonlySet<number> = new Set([502, 504, 546]);

/** The tasks of one call until each has ended, whatever the executor does. */
export class Batch {
  private readonly open = new Map<string, { out: TaskOut; timer: ReturnType<typeof setTimeout> }>();
  private readonly controller = new AbortController();
  private readonly name: string;
  private readonly log: Log;
  private readonly maxPayloadBytes: number;
  private sawGarbage = false;

  constructor(
    name: string,
    tasks: readonly TaskOut[],
    { log, maxPayloadBytes }: { log: Log; maxPayloadBytes: number },
  ) {
    this.name = name;
    this.log = log;
    this.maxPayloadBytes = maxPayloadBytes;
    for (const out of tasks) {
      const id = out.task.task_id;
      const timer = setTimeout(() => this.timeOut(id), out.timeoutMs + GRACE_MS);
      this.open.set(id, { out, timer });
      out.signal.addEventListener("abort", () => {
        if (this.take(id) !== undefined) this.abortWhenOver();
      }, { once: true });
    }
  }

  /** Aborted when the call is to be given up. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  get isOver(): boolean {
    return this.open.size === 0;
  }

  /** Takes one line of the answer. */
  line(text: string): void {
    const result = parseResult(text);
    if (result === null) {
      this.sawGarbage = true;
      this.log.warn("executor_answer_unreadable", { target_function: this.name });
      return;
    }
    if (!this.open.has(result.task_id)) {
      this.log.warn("executor_result_unexpected", {
        target_function: this.name,
        task_id: result.task_id,
      });
      return;
    }
    this.end(result.task_id, { type: "result", result: this.check(result, text) });
  }

  /** The answer has ended: what is still open was forgotten. */
  ended(): void {
    this.failAll(errorInfo(
      "invalid_result",
      this.sawGarbage
        ? `Executor '${this.name}' answered with something that is not a task result`
        : `Executor '${this.name}' ended its answer without a result for this task`,
    ));
  }

  failedToConnect(error: unknown): void {
    // Only a refused connection is known to have started nothing.
    if (/connection refused|dns error|failed to lookup/i.test(reasonOf(error))) {
      this.failAll(errorInfo("executor_unreachable", `Executor '${this.name}' cannot be reached`));
    } else if (error instanceof Error && error.name === "RateLimitError") {
      const wait = Number((error as { retryAfterMs?: unknown }).retryAfterMs);
      this.failAll(errorInfo(
        "rate_limited",
        `Calls of '${this.name}' are limited by the platform`,
        retryAfter(wait / 1000),
      ));
    } else {
      this.loseAll("the call broke off");
    }
  }

  /** The executor, or the platform before it, has answered with an error for the whole batch. */
  async refused(response: Response): Promise<void> {
    await response.body?.cancel();
    const { status } = response;
    if (KILLED_STATUSES.has(status)) return this.loseAll(`the platform answered ${status}`);
    const wait = Number(response.headers.get("Retry-After"));
    const hint = HINTS[status] ?? "";
    this.failAll(errorInfo(
      status === 429 ? "rate_limited" : "executor_unreachable",
      `Executor '${this.name}' answered ${status}${hint}`,
      retryAfter(wait),
    ));
  }

  failAll(error: ErrorInfo): void {
    for (const id of [...this.open.keys()]) {
      this.end(id, { type: "result", result: { status: "failed", error } });
    }
  }

  loseAll(reason: string): void {
    for (const id of [...this.open.keys()]) this.end(id, { type: "lost", reason });
  }

  private timeOut(id: string): void {
    const seconds = Math.round((this.open.get(id)?.out.timeoutMs ?? 0) / 1000);
    const message = `Executor '${this.name}' did not finish within ${seconds} s`;
    this.end(id, {
      type: "result",
      result: { status: "failed", error: errorInfo("timeout", message) },
    });
    this.abortWhenOver();
  }

  private end(id: string, end: DeliveryEnd): void {
    this.take(id)?.end(end);
  }

  /**
   * Gives the call up when nobody waits for it. Not so when the last result has come: the answer
   * then ends by itself, which keeps the connection for the next call.
   */
  private abortWhenOver(): void {
    if (this.isOver) this.controller.abort();
  }

  /** Closes a task. */
  private take(id: string): TaskOut | undefined {
    const entry = this.open.get(id);
    if (entry === undefined) return undefined;
    clearTimeout(entry.timer);
    this.open.delete(id);
    return entry.out;
  }

  private check(result: TaskResult, text: string): AttemptResult {
    switch (result.status) {
      case "accepted":
        return { status: "accepted" };
      case "failed":
        return { status: "failed", error: storableError(toErrorInfo(result.error), text) };
      case "completed":
        break;
    }
    const fault = outputFault(result.output, text, this.maxPayloadBytes);
    return fault === null
      ? { status: "completed", output: result.output ?? null }
      : { status: "failed", error: fault };
  }
}

/** What went wrong; newer versions of Deno tell it in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}

/** What a platform may ask to wait at most, in seconds: 30 days. */
const MAX_RETRY_AFTER_SECONDS = 86_400 * 30;

function retryAfter(seconds: number): { retry_after_seconds?: number } {
  return seconds > 0 ? { retry_after_seconds: Math.min(seconds, MAX_RETRY_AFTER_SECONDS) } : {};
}

function parseResult(text: string): TaskResult | null {
  try {
    const parsed = taskResultSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : null;
  } catch {
    return null; // not JSON: the caller reports it
  }
}
