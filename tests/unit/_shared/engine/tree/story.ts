import assert from "node:assert/strict";
import type { Transformer } from "../../../../../supabase/functions/_shared/contracts/turn.ts";
import { isEnded } from "./rows.ts";
import type {
  Decision,
  PlanContext,
  PlanEvent,
} from "../../../../../supabase/functions/_shared/engine/decision.ts";
import type { CheckedDefinition } from "../../../../../supabase/functions/_shared/engine/definition/check.ts";
import type { Job } from "../../../../../supabase/functions/_shared/engine/job.ts";
import { plan } from "../../../../../supabase/functions/_shared/engine/plan.ts";
import type { Answers } from "./answers.ts";
import { Database } from "./database.ts";
import { Outside } from "./outside.ts";
import { Owner } from "./owner.ts";
import { Random } from "./random.ts";
import { reopenJob } from "./children.ts";
import type { JobRow } from "./rows.ts";

/** How rough a story is: probabilities. */
export interface Roughness {
  /** Of a process to end or to freeze, at each move. */
  readonly crash: number;
  /** Of an executor to be lost. */
  readonly lost: number;
  /** Of a root to be paused, at each move. */
  readonly pause: number;
  /** Of a root to be cancelled, at each move. */
  readonly cancel: number;
  /** Of a job that is started from outside to have a time limit. */
  readonly deadline: number;
  /** Of a root that has failed to be run once more. */
  readonly retry: number;
}

const PROCESSES = 3;
/** A story that takes longer goes round in circles. */
const MAX_MOVES = 5_000;

/** Jobs on their way, driven by `plan` in some order until all have ended. */
export class Story {
  readonly db: Database;
  readonly random: Random;
  private owners: Owner[] = [];
  readonly outside: Outside;
  private readonly definitions: ReadonlyMap<string, CheckedDefinition>;
  private readonly transformers: ReadonlyMap<string, Transformer>;
  private readonly rough: Roughness;
  private retriesLeft = 3;
  moves = 0;

  constructor(
    definitions: ReadonlyMap<string, CheckedDefinition>,
    transformers: ReadonlyMap<string, Transformer>,
    answers: Answers,
    rough: Roughness,
    seed: number,
  ) {
    this.definitions = definitions;
    this.transformers = transformers;
    this.rough = rough;
    this.random = new Random(seed);
    this.db = new Database(
      new Map([...definitions].map(([id, { start_step }]) => [id, start_step])),
    );
    this.outside = new Outside(this.db, this.random, answers, rough.lost);
    for (let i = 0; i < PROCESSES; i++) this.raise();
  }

  private raise(): void {
    this.owners.push(new Owner(this.db.newId(), this));
  }

  /** A process is gone; another takes its place. */
  bury(owner: Owner): void {
    this.owners = this.owners.filter((other) => other !== owner);
    this.raise();
  }

  contextOf(job: Job): PlanContext {
    const whole = this.definitions.get(job.workflow_id);
    const definition = job.branch === null ? whole : whole?.branches.get(job.branch);
    assert.ok(definition, `there is no ${job.workflow_id} ${job.branch}`);
    return {
      definition,
      transformers: this.transformers,
      now: this.db.now,
      random: this.random.next(),
      maxRedeliveries: 1_000_000,
      maxPayloadBytes: 1_000_000,
      newId: this.db.newId(),
    };
  }

  /** Now and then: the same arguments give the same decision, and are left as they were. */
  async checkPure(
    context: PlanContext,
    job: Job,
    event: PlanEvent,
    decision: Decision,
  ): Promise<void> {
    if (!this.random.chance(0.02)) return;
    const before = structuredClone(job);
    assert.deepEqual(await plan(context, job, event), decision);
    assert.deepEqual(job, before);
  }

  /** Whether a process has no time for one more attempt. */
  isLeft(): boolean {
    return this.random.chance(this.rough.crash);
  }

  /** Tells the story to its end. */
  async tell(): Promise<void> {
    for (; !this.isOver; this.moves++) {
      assert.ok(this.moves < MAX_MOVES, "the story does not end");
      this.disturb();
      this.outside.act();
      await this.move();
    }
  }

  private get isOver(): boolean {
    return [...this.db.jobs.values()].every(({ status }) => isEnded(status));
  }

  private async move(): Promise<void> {
    const { db, random } = this;
    const moves: (() => void | Promise<void>)[] = [];
    for (const owner of this.owners) {
      if (owner.isFrozen) continue;
      const held = [...owner.held.values()];
      if (held.some(({ pending }) => pending !== null)) {
        moves.push(() => owner.commit(random.chance(this.rough.crash)));
      }
      for (const job of held) {
        if (job.pending !== null) continue;
        if (job.events.length > 0) moves.push(() => owner.decide(job));
        else if (job.sent !== null) moves.push(() => owner.finish(job));
        if (db.job(job.job.job_id).wake_requested && random.chance(0.5)) {
          moves.push(() => owner.extend(job));
        }
      }
    }
    const { due } = db;
    const awake = this.owners.filter(({ isFrozen }) => !isFrozen);
    if (due.length > 0 && awake.length > 0) {
      const ids = random.shuffled(due).slice(0, 1 + random.below(4)).map(({ id }) => id);
      moves.push(() => random.pick(awake).claim(ids));
    }
    if (moves.length === 0 || random.chance(0.02)) return this.wait(moves.length === 0);
    await random.pick(moves)();
  }

  /** Time goes on: a little, or to where something happens. */
  private wait(isIdle: boolean): void {
    const { db, random } = this;
    const times = [
      ...this.outside.times,
      ...[...db.jobs.values()].flatMap(({ next_run_at }) => next_run_at ?? []),
    ].filter((at) => at > db.now);
    const next = Math.min(...times);
    if (isIdle) {
      const frozen = this.owners.filter(({ isFrozen }) => isFrozen);
      // Some wake up before their leases have run out, some after.
      if (frozen.length > 0 && (random.chance(0.3) || !Number.isFinite(next))) {
        for (const owner of frozen) owner.isFrozen = false;
        return;
      }
      assert.ok(Number.isFinite(next), "jobs wait for ever");
    }
    db.now = isIdle || (random.chance(0.3) && Number.isFinite(next))
      ? next
      : db.now + random.below(2_000);
    for (const owner of this.owners) {
      if (owner.isFrozen) continue;
      for (const held of [...owner.held.values()]) owner.extend(held);
    }
    db.sweep();
  }

  private disturb(): void {
    const { random, rough, db } = this;
    if (random.chance(rough.crash)) {
      const owner = random.pick(this.owners);
      if (random.chance(0.5)) owner.die();
      else owner.isFrozen = true;
    }
    if (random.chance(rough.crash)) { for (const owner of this.owners) owner.isFrozen = false; }
    if (random.chance(rough.crash)) this.steal();
    const roots = [...db.jobs.values()].filter(({ depth }) => depth === 0);
    const job = random.pick(roots);
    if (random.chance(rough.cancel)) db.send(job.id, "cancel", { payload: { reason: "enough" } });
    if (random.chance(rough.pause) && db.send(job.id, "pause")) {
      this.outside.arrange(random.below(500_000), () => {
        db.send(job.id, "resume");
      });
    }
    if (random.chance(rough.retry)) this.retry(job);
  }

  /** The lease of a single job has run out, and somebody claims it before its owner knows. */
  private steal(): void {
    const { db, random } = this;
    // What is decided and not durable has the most to lose.
    const owner = random.pick(this.owners);
    const pending = [...owner.held.values()].filter(({ pending }) => pending !== null);
    const owned = pending.map(({ job }) => db.job(job.job_id))
      .filter(({ lease_token }) => lease_token === owner.token);
    const thieves = this.owners.filter((other) => other !== owner && !other.isFrozen);
    if (owned.length === 0 || thieves.length === 0) return;
    const job = random.pick(owned);
    job.next_run_at = db.now;
    random.pick(thieves).claim([job.id]);
  }

  private retry(job: JobRow): void {
    if (this.retriesLeft === 0 || (job.status !== "failed" && job.status !== "cancelled")) return;
    this.retriesLeft--;
    const steps = Object.keys(job.step_data);
    const from_step = steps.length > 0 && this.random.chance(0.4) ? this.random.pick(steps) : null;
    reopenJob(this.db, job);
    this.db.send(job.id, "retry", {
      payload: { from_step, failed_items_only: this.random.chance(0.7) },
    });
  }
}
