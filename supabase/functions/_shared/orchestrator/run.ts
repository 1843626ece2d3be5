import { errorInfo } from "../contracts/errors.ts";
import type {
  ClaimedJob,
  JobWrite,
  Message,
  TurnReply,
  TurnRequest,
  UnreadableJob,
} from "../contracts/turn.ts";
import type { Decision, Delivery } from "../engine/decision.ts";
import { releaseJob } from "../engine/plan.ts";
import type { Log } from "../log.ts";
import type { EngineStore } from "../store/engine_store.ts";
import { bornChild, childId } from "./born.ts";
import { branchOf, type Catalog, type Definitions } from "./catalog.ts";
import type { Clock } from "./clock.ts";
import { type CommitBatch, type CommitOutcome, CommitQueue } from "./commit_queue.ts";
import type { OrchestratorConfig } from "./config.ts";
import { Deliveries } from "./deliveries.ts";
import type { Dispatcher } from "./dispatcher.ts";
import { Families, type FamilyNews } from "./families.ts";
import { type HeldEvent, HeldJob } from "./held_job.ts";
import { planHeld } from "./plan_held.ts";
import { emptySummary, type RunSummary } from "./run_summary.ts";
import { Schedule } from "./schedule.ts";
import { firstScopeKey, type KnownScopes, type Scopes, spawnedScope } from "./scopes.ts";
import { Signal } from "./signal.ts";
import { takeTurn, unreadableFailure } from "./take_turn.ts";

/**
 * How long the commit that starts children waits for what they do first, in ms. They run meanwhile;
 * but nobody else can see, cancel or take over what is not there yet.
 */
const SPAWN_PATIENCE_MS = 10;

/** What a run works with. */
export interface RunDependencies {
  store: EngineStore;
  dispatcher: Dispatcher;
  catalog: Catalog;
  scopes: Scopes;
  clock: Clock;
  config: OrchestratorConfig;
  log: Log;
  /** Uniform in [0, 1). */
  random: () => number;
  /** A fresh UUID. */
  newId: () => string;
  /** Names the run; its lease token. */
  runId: string;
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
  private readonly deliveries: Deliveries;
  private readonly families = new Families((parentId) => this.scatter(parentId));
  private readonly schedule: Schedule;
  private readonly signal = new Signal();
  /** When a commit that starts children is not to wait any longer for company. */
  private spawnBy = Infinity;
  /** Jobs that are being planned right now; tasks and commits leave when none is. */
  private planning = 0;
  /** Due jobs may be left when the run stops taking on work: a fresh one is to be called. */
  private handOverDue = true;
  private handingOver: Promise<void> = Promise.resolve();
  private readonly summary: RunSummary;

  constructor(deps: RunDependencies) {
    this.deps = deps;
    this.deliveries = new Deliveries(deps, {
      hasRoomFor: (delivery) => this.hasRoomFor(delivery),
      happen: (held, event) => this.happen(held, event),
      during: (work) => this.during(work),
    });
    this.schedule = new Schedule(deps.config, deps.clock.elapsed());
    this.summary = emptySummary(deps.runId);
  }

  /** Whether the run still takes on work: a kick then needs no run of its own. */
  get isAccepting(): boolean {
    return this.schedule.isAccepting(this.deps.clock.elapsed(), this.summary.steps);
  }

  /** Something may be due, or (for any reason but a start) a message has come for a held job. */
  kick(reason: string): void {
    this.schedule.kicked(reason, this.deps.clock.elapsed());
    this.signal.raise();
  }

  /**
   * Works until there is nothing to do.
   *
   * @throws {StoreError} when the database refuses to be claimed from; what was held is found again
   * when its leases run out
   */
  async work(): Promise<RunSummary> {
    const { clock, config } = this.deps;
    const startedAt = clock.elapsed();
    try {
      for (;;) {
        const now = clock.elapsed();
        if (this.planning === 0) {
          if (this.isTurnDue(now)) {
            await this.turn(now);
            continue;
          }
          if (!this.isAccepting && (this.handOverDue || this.schedule.takeOwedLook(now))) {
            this.handOver();
          }
          if (this.schedule.isOver(now, this.held.size, this.isAccepting)) break;
        }
        const ms = this.schedule.msToNext(now, this.held.size, this.isAccepting);
        await this.signal.wait(Math.min(ms, Math.max(this.spawnBy - now, 0)));
      }
    } finally {
      // From here on a kick must find that it needs a run of its own.
      this.schedule.stop();
      for (const [id, held] of this.held) {
        this.families.dissolve(id);
        held.release();
      }
      this.summary.duration_ms = Math.round(clock.elapsed() - startedAt);
      if (this.held.size > 0) {
        this.deps.log.warn("run_left_jobs", { held: this.held.size, wall: config.wallSeconds });
      }
    }
    await this.handingOver;
    return this.summary;
  }

  private isTurnDue(now: number): boolean {
    return this.commits.size > 0 || now >= this.spawnBy ||
      this.schedule.isTurnDue(now, this.held.size, this.isAccepting);
  }

  /** Has a fresh run called for what is due; should that fail, the next tick does it. */
  private handOver(): void {
    const { store, log } = this.deps;
    this.handOverDue = false;
    this.handingOver = this.handingOver.then(() => store.tick())
      .catch((error) => log.warn("hand_over_failed", { error }));
  }

  private async turn(now: number): Promise<void> {
    const { config, catalog, scopes, clock, runId } = this.deps;
    const batch = this.commits.take();
    this.spawnBy = Infinity;
    const known = { definitions: catalog.known, scopes: scopes.known };
    const accepting = this.isAccepting;
    const remaining = this.held.size - batch.ending;
    const claim = accepting ? Math.max(config.slots - remaining, 0) : 0;
    const request: TurnRequest = {
      lease_token: runId,
      lease_seconds: config.leaseSeconds,
      claim,
      in_flight: remaining,
      writes: batch.writes.map((write) => this.afterMail(write)),
      spawning: batch.spawning,
      extend: this.schedule.isExtendDue(now) ? this.out(batch) : [],
      known_definitions: [...known.definitions.keys()],
      known_scopes: [...known.scopes.keys()],
      catalog_revision: catalog.revision,
      look_ahead: this.schedule.looksAhead(remaining, batch.writes),
      leaving: remaining === 0 && this.schedule.mayLeave(now, batch.writes.length, accepting),
    };
    this.schedule.turnStarted(now, request);
    // Nobody here looks for what becomes due by it.
    this.handOverDue ||= !accepting && batch.writes.some((write) => this.wakesOthers(write));
    const reply = await takeTurn(this.deps, request);
    this.summary.turns++;
    if (reply === null) return this.loseAll(batch);
    clock.sync(reply.now);
    this.schedule.turnEnded(clock.elapsed(), request, reply);
    this.deps.log.debug("turn", {
      duration_ms: Math.round(clock.elapsed() - now),
      committed: batch.writes.length,
      claimed: reply.claimed.length,
      held: remaining,
    });
    this.take(reply, batch, known);
  }

  /** Whether a commit may make other jobs due: children, a parent, or whoever gets a slot. */
  private wakesOthers({ job, spawn, childMessage, reopening }: JobWrite): boolean {
    const held = this.held.get(job.job_id)?.job;
    const isMissed = held !== undefined &&
      (held.parent_job_id !== null || held.held_slots.length > 0);
    return (isMissed && job.status !== "running") ||
      [spawn, childMessage, reopening].some((part) => part !== undefined);
  }

  /**
   * A job that parks while messages wait here, which its decision did not know of, is to be looked
   * at again at once: the database was told that they have been taken.
   */
  private afterMail(write: JobWrite): JobWrite {
    const { job } = write;
    const parks = job.status === "pending" || job.status === "waiting" ||
      job.status === "awaiting_retry" || job.status === "paused";
    if (!parks || !this.held.get(job.job_id)?.hasMail) return write;
    const next_run_at = new Date(this.deps.clock.now()).toISOString();
    return { ...write, job: { ...job, next_run_at } };
  }

  private take(reply: TurnReply, batch: CommitBatch, known: Known): void {
    const { catalog, scopes } = this.deps;
    catalog.update(reply);
    for (const scope of reply.scopes) scopes.add(scope);
    this.during(() => {
      for (const { job_id, committed, admitted = true } of reply.results) {
        batch.settle(job_id, committed ? admitted ? "committed" : "parked" : "lost");
      }
      for (const { job_id, committed } of reply.spawned) {
        // Of a turn that was sent twice, the database sees that the job is past its first write.
        const isPast = reply.results.some((later) => later.job_id === job_id && later.committed);
        batch.settleSpawn(job_id, committed || isPast ? "committed" : "lost");
      }
      batch.settleRest();
      for (const id of reply.extended.lost) this.lose(id);
      for (const { job_id, messages } of [...reply.woken, ...reply.extended.woken]) {
        this.deliver(job_id, messages);
      }
      for (const job of reply.claimed) this.hold(job, known);
      for (const job of reply.unreadable) this.giveUp(job);
      const parents = batch.writes.filter(({ spawn }) => spawn?.lease).map(({ job }) => job.job_id);
      for (const { parentId } of this.families.incomplete(parents)) this.scatter(parentId);
    });
    catalog.trim();
    scopes.trim();
  }

  private hold({ messages, ...job }: ClaimedJob, known: Known): void {
    const { catalog, scopes } = this.deps;
    // An own lease that ran out and was claimed again: what is out belongs to the past.
    const past = this.held.get(job.job_id);
    if (past !== undefined) this.drop(past);
    const around = scopes.around(job, known.scopes);
    const definition = around === null
      ? errorInfo("internal", `Scope ${job.scope} did not come with its job`)
      : branchOf(job, catalog.definitionOf(job, known.definitions));
    this.own(new HeldJob(around === null ? job : { ...job, around }, definition), messages);
  }

  /** From here on the run sees to a job that is leased to it. */
  private own(held: HeldJob, messages: readonly Message[]): void {
    this.held.set(held.job.job_id, held);
    this.families.join(held.job);
    this.summary.claimed++;
    for (const { id } of messages) held.heard.add(id);
    this.happen(held, { type: "claimed", messages });
  }

  /** Left to its lease for a version that can read it; but no job waits for ever. */
  private giveUp(job: UnreadableJob): void {
    if (job.redeliveries <= this.deps.config.maxRedeliveries) return;
    void this.commits.add(unreadableFailure(job)).then(() => this.done());
  }

  /** Messages came in while the job was held. */
  private deliver(jobId: string, messages: readonly Message[]): void {
    const held = this.held.get(jobId);
    const news = messages.filter(({ id }) => !held?.heard.has(id));
    if (held === undefined || news.length === 0) return;
    for (const { id } of news) held.heard.add(id);
    this.happen(held, { type: "messages", messages: news });
  }

  private happen(held: HeldJob, event: HeldEvent): void {
    held.events.push(event);
    if (!held.busy) void this.goThrough(held);
  }

  /** Deals with a job's events, one after the other; never rejects. */
  private async goThrough(held: HeldJob): Promise<void> {
    held.busy = true;
    this.planning++;
    try {
      for (;;) {
        const event = held.events.shift();
        if (event === undefined || held.released) break;
        await this.decide(held, event);
      }
    } catch (error) {
      this.deps.log.error("plan_failed", { job_id: held.job.job_id, error });
      this.drop(held);
    } finally {
      held.busy = false;
      this.done();
    }
  }

  private async decide(held: HeldJob, event: HeldEvent): Promise<void> {
    const planned = await planHeld(this.deps, held, event);
    if (held.released) return;
    const decision = this.keepFamily(held, planned);
    if (this.startAhead(held, decision)) return;
    const { write } = decision;
    const outcome = await this.commit(held, decision);
    if (outcome === "lost") {
      this.scatterFamilyOf(held);
      if (write?.spawn !== undefined) this.deps.scopes.forget(firstScopeKey(write.spawn));
      // An end that it was made of was not written: the database tells of those that were.
      if (write !== null && write.job.joined_failures !== null && !held.released) {
        return this.happen(held, { type: "scattered" });
      }
    }
    if (outcome !== "committed") return this.drop(held);
    if (held.released) return;
    held.job = decision.job;
    await this.apply(held, decision);
  }

  /** Keeps a parent whose children can run here, and tells it when the last of them has ended. */
  private keepFamily(held: HeldJob, decision: Decision): Decision {
    const { write, effect } = decision;
    if (write === null) return decision;
    const scope = spawnedScope(decision.job, write);
    if (scope !== null) this.deps.scopes.add(scope);
    const { job_id } = held.job;
    if (effect.type !== "keep") this.families.dissolve(job_id);
    const taken = this.held.size + this.families.expected;
    const room = this.isAccepting ? this.deps.config.slots - taken : 0;
    if (Families.fits(write, room)) {
      return {
        ...decision,
        write: this.families.adopt(write, this.deps.clock.now()),
        effect: { type: "keep" },
      };
    }
    const news = this.families.notice(held.job, write);
    if (news !== null) this.tellParent(news);
    return decision;
  }

  /**
   * Starts children before the commit that makes them is through, where the row of their parent
   * already says that it stands at this step and knows nothing newer: it is the durable intent, from
   * which a next owner would start the same children, under the same keys. Their first ends then go
   * into the same turn, and a short-lived family needs none for its start.
   *
   * @returns false where the commit has to come first
   */
  private startAhead(held: HeldJob, { job, write, effect }: Decision): boolean {
    const { clock } = this.deps;
    const spawn = write?.spawn;
    const scope = write === null ? null : spawnedScope(job, write);
    const isIntended = held.durable === null && effect.type === "keep" && spawn?.lease === true &&
      write?.steps.length === 0 && write.consumed.length === 0;
    if (!isIntended || write === null || scope === null) return false;
    held.job = job;
    const at = new Date(clock.now()).toISOString();
    const children = spawn.children.map((child) => ({ ...child, id: childId(spawn, child.index) }));
    const around = [...(job.around ?? []), scope];
    const started = this.commits.addSpawn({ ...write, spawn: { ...spawn, at, children } });
    const born: HeldJob[] = [];
    const durable = started.then((became) => {
      for (const child of born) child.durable = null;
      if (became !== "committed") {
        this.deps.scopes.forget(scope.key);
        for (const one of [held, ...born]) this.drop(one);
      }
      this.done();
    });
    for (const child of children) {
      const row = { ...bornChild(job, spawn, child, at), around };
      born.push(new HeldJob(row, branchOf(row, held.definition), durable));
    }
    this.spawnBy = Math.min(this.spawnBy, clock.elapsed() + SPAWN_PATIENCE_MS);
    for (const child of born) this.own(child, []);
    return true;
  }

  private tellParent(news: FamilyNews): void {
    const { parentId } = news.family;
    if (news.type === "scattered") return this.scatter(parentId);
    this.families.dissolve(parentId);
    const parent = this.held.get(parentId);
    // Planned now, so that its decision goes into the turn that commits the last child's end.
    if (parent !== undefined) this.happen(parent, { type: "children", ends: news.ends });
  }

  private scatterFamilyOf({ job }: HeldJob): void {
    const family = this.families.familyOf(job.job_id);
    if (family !== undefined) this.scatter(family.parentId);
  }

  private scatter(parentId: string): void {
    this.families.dissolve(parentId);
    const parent = this.held.get(parentId);
    if (parent !== undefined) this.happen(parent, { type: "scattered" });
  }

  /** Makes a decision durable. */
  private async commit(held: HeldJob, { write, effect }: Decision): Promise<CommitOutcome> {
    if (write === null) return "committed";
    if (effect.type === "release") held.recall();
    this.summary.steps += write.steps.length;
    const { waiting } = held.job.state;
    const children = waiting?.kind === "children" ? waiting.total : 0;
    const outcome = this.commits.add(write, children);
    // Not planning while it waits: the turn that commits it comes when nobody is.
    this.done();
    const became = await outcome;
    if (became === "committed" && write.job.status === "completed") this.summary.completed++;
    if (became === "committed" && write.job.status === "failed") this.summary.failed++;
    return became;
  }

  private async apply(held: HeldJob, { effect, write }: Decision): Promise<void> {
    switch (effect.type) {
      case "dispatch":
        return await this.send(held, effect.delivery);
      case "again":
        return this.happen(held, { type: "again" });
      case "admit": {
        const admission = write?.job.admission;
        if (admission?.kind === "slot") held.take(admission.key);
        return this.happen(held, { type: "admitted" });
      }
      case "keep":
        return;
      case "release":
        return this.drop(held);
    }
  }

  private async send(held: HeldJob, delivery: Delivery): Promise<void> {
    held.recall();
    if (!this.hasRoomFor(delivery)) return await this.leave(held, this.deps.clock.now());
    // A callback is for a job that the database has.
    if (delivery.callback && held.durable !== null) await this.untilDurable(held.durable);
    if (held.released) return;
    await this.deliveries.send(held, delivery);
  }

  private async untilDurable(durable: Promise<void>): Promise<void> {
    this.spawnBy = this.deps.clock.elapsed();
    // Not planning while it waits: the turn comes when nobody is.
    this.done();
    await durable;
    this.planning++;
  }

  private hasRoomFor({ timeoutSeconds }: Delivery): boolean {
    const { clock, config } = this.deps;
    return this.summary.steps < config.maxSteps &&
      this.schedule.hasTimeFor(clock.elapsed(), timeoutSeconds);
  }

  /** Leaves a job to a fresh run before its attempt has begun: none is cut off by our own end. */
  private async leave(held: HeldJob, now: number): Promise<void> {
    // Or the next turn would claim it again.
    this.schedule.stop();
    await this.commit(held, this.keepFamily(held, releaseJob(held.job, now)));
    this.handOverDue = true;
    this.drop(held);
  }

  /** Jobs whose tasks are out and whose leases nothing else extends. */
  private out(batch: CommitBatch): string[] {
    return [...this.held.keys()].filter((id) => !batch.has(id));
  }

  private drop(held: HeldJob): void {
    held.release();
    const { job_id } = held.job;
    if (this.held.get(job_id) !== held) return;
    this.held.delete(job_id);
    this.commits.withdraw(job_id);
    this.families.dissolve(job_id);
    if (!this.families.hasEnded(job_id)) this.scatterFamilyOf(held);
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
    this.summary.calls += this.deliveries.flush();
    this.signal.raise();
  }
}

/** What the caller of a turn had when it called. */
interface Known {
  readonly definitions: Definitions;
  readonly scopes: KnownScopes;
}
