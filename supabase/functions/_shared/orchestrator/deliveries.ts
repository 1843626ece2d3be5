import type { Delivery } from "../engine/decision.ts";
import type { DeliveryEnd } from "./dispatcher.ts";
import type { HeldEvent, HeldJob } from "./held_job.ts";
import { Lanes } from "./lanes.ts";
import { logContext } from "./log_context.ts";
import { Outbox } from "./outbox.ts";
import type { RunDependencies } from "./run.ts";
import { taskOf } from "./task_of.ts";
import { callbackToken } from "./token.ts";

/**
 * A task whose executor was lost this often in a row waits until no other such task is out to the
 * same function: one of them is what kills it, and takes those with it that are out beside it.
 */
const ALONE_AFTER_LOSSES = 2;

/** What deliveries need of the run that makes them. */
export interface DeliveryHooks {
  /** Whether an attempt can end before the run must. */
  hasRoomFor(delivery: Delivery): boolean;
  /** Something has happened to a job. */
  happen(held: HeldJob, event: HeldEvent): void;
  /** Does work after which all that is ready leaves together. */
  during(work: () => void): void;
}

/** Sends attempts to executors and tells their jobs what came of them. */
export class Deliveries {
  private readonly deps: RunDependencies;
  private readonly hooks: DeliveryHooks;
  private readonly outbox: Outbox;
  private readonly lanes = new Lanes();

  constructor(deps: RunDependencies, hooks: DeliveryHooks) {
    this.deps = deps;
    this.hooks = hooks;
    this.outbox = new Outbox(deps.dispatcher);
  }

  /** Makes a delivery ready; it leaves with the next {@link flush}. */
  async send(held: HeldJob, delivery: Delivery): Promise<void> {
    const { clock, catalog, log } = this.deps;
    const { job, signal } = held;
    held.sent = { input: delivery.input, startedAt: clock.now() };
    const token = delivery.callback
      ? await callbackToken(catalog.callbackSecret, job.job_id, delivery.attempt)
      : null;
    const { target_function } = delivery.transformer;
    const go = () => {
      log.debug("task_dispatched", { ...logContext(held, delivery), target_function });
      this.outbox.add(delivery, {
        // By the clock here, which is the executors' too; the database's may be another.
        task: taskOf(job, delivery, { now: Date.now(), token }),
        timeoutMs: delivery.timeoutSeconds * 1000,
        signal,
        end: (end) => {
          if (!signal.aborted) this.ended(held, delivery, end);
        },
      });
    };
    if (held.losses < ALONE_AFTER_LOSSES) return go();
    this.lanes.enter(target_function, signal, () => {
      if (!this.hooks.hasRoomFor(delivery)) return this.hooks.happen(held, { type: "again" });
      held.sent = { input: delivery.input, startedAt: clock.now() };
      this.hooks.during(go);
    });
  }

  /** Sends all that is ready. Answers how many calls that took. */
  flush(): number {
    return this.outbox.flush();
  }

  private ended(held: HeldJob, delivery: Delivery, end: DeliveryEnd): void {
    const { clock, log } = this.deps;
    const { attempt } = delivery;
    const sent = held.sent ?? { input: delivery.input, startedAt: clock.now() };
    const fields = { ...logContext(held, delivery), duration_ms: clock.now() - sent.startedAt };
    if (end.type === "lost") {
      held.losses++;
      log.warn("task_lost", { ...fields, reason: end.reason });
      return this.hooks.happen(held, { type: "lost", attempt, reason: end.reason, sent });
    }
    held.losses = 0;
    if (end.result.status === "failed") {
      const { code, message } = end.result.error;
      log.warn("step_failed", { ...fields, error_code: code, error_message: message });
    } else log.debug("step_ended", { ...fields, status: end.result.status });
    this.hooks.happen(held, { type: "result", attempt, result: end.result, sent });
  }
}
