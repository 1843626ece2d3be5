import { type ErrorInfo, errorInfo } from "../contracts/errors.ts";
import type { ClaimedJob, Message, TurnReply, TurnRequest } from "../contracts/turn.ts";
import type { Decision, Delivery, Effect, PlanEvent } from "../engine/decision.ts";
import { idempotencyKey } from "../engine/keys.ts";
import { failJob, plan, releaseJob } from "../engine/plan.ts";
import type { Log } from "../log.ts";
import type { EngineStore } from "../store/engine_store.ts";
import type { Catalog } from "./catalog.ts";
import type { Clock } from "./clock.ts";
import { type CommitBatch, CommitQueue } from "./commit_queue.ts";
import type { OrchestratorConfig } from "./config.ts";
import type { DeliveryEnd, Dispatcher } from "./dispatcher.ts";
import { HeldJob } from "./held_job.ts";
import { Outbox } from "./outbox.ts";
import { Schedule } from "./schedule.ts";
import { Signal } from "./signal.ts";
import { callbackToken } from "./token.ts";
import { takeTurn } from "./take_turn.ts";

/** What a run works with. */
export interface RunDependencies {
  store: EngineStore;
  dispatcher: Dispatcher;
  catalog: Catalog;
  clock: Clock;
  config: OrchestratorConfig;
  log: Log;
  /** Uniform in [0, 1). */
  random: () => number;
  /** Names the run; its lease token. */
  runId: string;
}

/** What a run has done. */
export interface RunSummary {
  run_id: string;
  claimed: number;
  /** Attempts that were settled. */
  steps: number;
  completed: number;
  failed: number;
  turns: number;
  /** Calls of executors. */
  calls: number;
  duration_ms: number;
}

/**
 * One run of the orchestrator: claims jobs, plans, dispatches, commits, until nothing is due or its
 * time is up. Everything that happens to a job gathers while a turn is under way and goes into the
 * next: under load a turn serves many jobs, and without load none waits.
 */
export class Run {
  private readonly deps: RunDependencies;
  private readonly held = new Map<string, HeldJob>();
  private readonly commits = new CommitQueue(() => this.planning++);
  private readonly outbox: Outbox;
  private readonly schedule: Schedule;
  private readonly signal = new Signal();
  /** Events that are being planned right now; tasks and commits leave when none is. */
  private planning = 0;
  private readonly summary: RunSummary;

  constructor(deps: RunDependencies) {
    this.deps = deps;
    this.outbox = new Outbox(deps.dispatcher);
    this.schedule = new Schedule(deps.config, deps.clock.now());
    this.summary = {
      run_id: deps.runId,
      claimed: 0,
      steps: 0,
      completed: 0,
      failed: 0,
      turns: 0,
      calls: 0,
      duration_ms: 0,
    };
  }

  /** Whether the run still takes on work: a kick then needs no run of its own. */
  get isAccepting(): boolean {
    return this.schedule.isAccepting(this.deps.clock.now(), this.summary.steps);
  }

  /** Something may be due, or (for any reason but a start) a message has come for a held job. */
  kick(reason: string): void {
    this.schedule.kicked(reason);
    this.signal.raise();
  }

  /**
   * Works until there is nothing to do.
   *
   * @throws {StoreError} when the database cannot be reached for as long as leases hold; what was
   * held is found again when they run out
   */
  async work(): Promise<RunSummary> {
    const { clock, config, store } = this.deps;
    const startedAt = clock.now();
    try {
      for (;;) {
        const now = clock.now();
        if (this.planning === 0 && this.isTurnDue(now)) {
          await this.turn(now);
          continue;
        }
        if (this.planning === 0 && this.schedule.isOver(now, this.held.size, this.isAccepting)) {
          break;
        }
        await this.signal.wait(this.schedule.msToNext(now, this.held.size));
      }
      if (!this.isAccepting) await store.tick();
    } finally {
      for (const held of this.held.values()) held.release();
      this.summary.duration_ms = clock.now() - startedAt;
      if (this.held.size > 0) {
        this.deps.log.warn("run_left_jobs", { held: this.held.size, wall: config.wallSeconds });
      }
    }
    return this.summary;
  }

  private isTurnDue(now: number): boolean {
    return this.commits.size > 0 ||
      this.schedule.isTurnDue(now, this.held.size, this.isAccepting);
  }

  private async turn(now: number): Promise<void> {
    const { config, catalog, clock, runId } = this.deps;
    const batch = this.commits.take();
    const accepting = this.isAccepting;
    const remaining = this.held.size - batch.ending;
    const claim = accepting ? Math.max(config.slots - remaining, 0) : 0;
    const request: TurnRequest = {
      lease_token: runId,
      lease_seconds: config.leaseSeconds,
      claim,
      in_flight: remaining,
      writes: batch.writes,
      extend: this.schedule.isExtendDue(now) ? this.out(batch) : [],
      known_definitions: catalog.known,
      catalog_revision: catalog.revision,
      look_ahead: remaining === 0,
      leaving: remaining === 0 && this.schedule.mayLeave(batch.writes.length),
    };
    this.schedule.turnStarted(now);
    const reply = await takeTurn(this.deps, request);
    this.summary.turns++;
    if (reply === null) return this.loseAll(batch);
    clock.sync(reply.now);
    this.schedule.turnEnded(clock.now(), request, reply);
    this.deps.log.debug("turn", {
      duration_ms: clock.now() - now,
      committed: batch.writes.length,
      claimed: reply.claimed.length,
      held: remaining,
    });
    this.take(reply, batch);
  }

  private take(reply: TurnReply, batch: CommitBatch): void {
    const { catalog } = this.deps;
    catalog.update(reply);
    this.during(() => {
      for (const { job_id, committed } of reply.results) batch.settle(job_id, committed);
      batch.settleRest();
      for (const id of reply.extended.lost) this.lose(id);
      for (const { job_id, messages } of [...reply.woken, ...reply.extended.woken]) {
        this.deliver(job_id, messages);
      }
      for (const job of reply.claimed) this.hold(job);
    });
    catalog.trim();
  }

  private hold({ messages, ...job }: ClaimedJob): void {
    // An own lease that ran out and was claimed again: what is out belongs to the past.
    this.held.get(job.job_id)?.release();
    const held = new HeldJob(job);
    this.held.set(job.job_id, held);
    this.summary.claimed++;
    this.happen(held, { type: "claimed", messages });
  }

  /** Messages came in while the job was held. */
  private deliver(jobId: string, messages: readonly Message[]): void {
    const held = this.held.get(jobId);
    if (held === undefined) return;
    const sent = held.sent ?? { input: null, startedAt: this.deps.clock.now() };
    this.happen(held, { type: "messages", messages, sent });
  }

  private happen(held: HeldJob, event: PlanEvent): void {
    this.planning++;
    held.enqueue(async () => {
      try {
        if (!held.released) await this.decide(held, event);
      } catch (error) {
        this.deps.log.error("plan_failed", { job_id: held.job.job_id, error });
        this.drop(held);
      } finally {
        this.done();
      }
    });
  }

  private async decide(held: HeldJob, event: PlanEvent): Promise<void> {
    const decision = await this.plan(held, event);
    if (!await this.commit(held, decision)) return this.drop(held);
    held.job = decision.job;
    await this.apply(held, decision.effect);
  }

  private async plan(held: HeldJob, event: PlanEvent): Promise<Decision> {
    const { clock, random, catalog, config, log } = this.deps;
    const now = clock.now();
    const definition = catalog.definitionOf(held.job);
    if (isError(definition)) return failJob(held.job, now, definition);
    try {
      return await plan(
        {
          definition,
          transformers: catalog.transformers,
          now,
          random: random(),
          maxRedeliveries: config.maxRedeliveries,
        },
        held.job,
        event,
      );
    } catch (error) {
      log.error("plan_failed", { job_id: held.job.job_id, event: event.type, error });
      return failJob(
        held.job,
        now,
        errorInfo("internal", "The engine could not go on with the job"),
      );
    }
  }

  /** Makes a decision durable; false when the job is not ours any more. */
  private async commit(held: HeldJob, { write, effect }: Decision): Promise<boolean> {
    if (write === null) return true;
    if (effect.type === "release") held.recall();
    this.summary.steps += write.steps.length;
    if (write.job.status === "completed") this.summary.completed++;
    if (write.job.status === "failed") this.summary.failed++;
    const committed = this.commits.add(write);
    this.done();
    return await committed;
  }

  private async apply(held: HeldJob, effect: Effect): Promise<void> {
    switch (effect.type) {
      case "dispatch":
        return await this.send(held, effect.delivery);
      case "again":
        return this.happen(held, { type: "again" });
      case "keep":
        return;
      case "release":
        return this.drop(held);
    }
  }

  private async send(held: HeldJob, delivery: Delivery): Promise<void> {
    const { clock, catalog, log } = this.deps;
    const { job } = held;
    held.recall();
    const startedAt = clock.now();
    if (!this.schedule.hasTimeFor(startedAt, delivery.timeoutSeconds)) {
      // Left to a fresh run before anything has begun: no attempt is cut off by our own end.
      const decision = releaseJob(job, startedAt);
      await this.commit(held, decision);
      return this.drop(held);
    }
    held.sent = { input: delivery.input, startedAt };
    const { signal } = held;
    const { attempt, transformer } = delivery;
    const key = idempotencyKey(job.job_id, attempt);
    const timeoutMs = delivery.timeoutSeconds * 1000;
    const token = delivery.callback
      ? { token: await callbackToken(catalog.callbackSecret, job.job_id, attempt) }
      : {};
    log.debug("task_dispatched", {
      ...logContext(held, delivery),
      target_function: transformer.target_function,
    });
    this.outbox.add(delivery, {
      task: {
        task_id: `${key}#${delivery.redeliveries}`,
        idempotency_key: key,
        job_id: job.job_id,
        user_id: job.user_id,
        workflow_id: job.workflow_id,
        step_id: attempt.step_id,
        attempt: attempt.attempt,
        deadline: new Date(startedAt + timeoutMs).toISOString(),
        transformer_id: transformer.id,
        type: transformer.type,
        config: delivery.config,
        input: delivery.input,
        trace_id: job.trace_id.replaceAll("-", ""),
        ...token,
      },
      timeoutMs,
      signal,
      end: (end) => {
        if (!signal.aborted) this.ended(held, delivery, end);
      },
    });
  }

  private ended(held: HeldJob, delivery: Delivery, end: DeliveryEnd): void {
    const { clock, log } = this.deps;
    const { attempt } = delivery;
    const sent = held.sent ?? { input: delivery.input, startedAt: clock.now() };
    const fields = { ...logContext(held, delivery), duration_ms: clock.now() - sent.startedAt };
    if (end.type === "lost") {
      log.warn("task_lost", { ...fields, reason: end.reason });
      return this.happen(held, { type: "lost", attempt, reason: end.reason, sent });
    }
    if (end.result.status === "failed") {
      const { code, message } = end.result.error;
      log.warn("step_failed", { ...fields, code, message });
    } else log.debug("step_ended", { ...fields, status: end.result.status });
    this.happen(held, { type: "result", attempt, result: end.result, sent });
  }

  /** Jobs whose tasks are out and whose leases nothing else extends. */
  private out(batch: CommitBatch): string[] {
    return [...this.held.keys()].filter((id) => !batch.has(id));
  }

  private drop(held: HeldJob): void {
    held.release();
    if (this.held.get(held.job.job_id) === held) this.held.delete(held.job.job_id);
  }

  private lose(jobId: string): void {
    const held = this.held.get(jobId);
    if (held === undefined) return;
    this.deps.log.warn("lease_lost", { job_id: jobId, step_id: held.job.current_step_id });
    this.drop(held);
  }

  /** The database was away for as long as leases hold: whatever is out is somebody else's now. */
  private loseAll(batch: CommitBatch): void {
    batch.settleRest();
    for (const held of [...this.held.values()]) this.drop(held);
    this.schedule.stop();
  }

  private during(work: () => void): void {
    this.planning++;
    work();
    this.done();
  }

  /** When nothing is being planned any more, all that is ready leaves together. */
  private done(): void {
    if (--this.planning > 0) return;
    this.summary.calls += this.outbox.flush();
    this.signal.raise();
  }
}

function logContext({ job }: HeldJob, { attempt, transformer }: Delivery) {
  return {
    job_id: job.job_id,
    workflow_id: job.workflow_id,
    step_id: attempt.step_id,
    visit: attempt.visit,
    attempt: attempt.attempt,
    transformer_id: transformer.id,
    trace_id: job.trace_id.replaceAll("-", ""),
  };
}

function isError(found: ReturnType<Catalog["definitionOf"]>): found is ErrorInfo {
  return "code" in found;
}
