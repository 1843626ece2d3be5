import assert from "node:assert/strict";
import type {
  ClaimedJob,
  JobWrite,
  Message,
} from "../../../../../supabase/functions/_shared/contracts/turn.ts";
import type {
  Decision,
  Delivery,
  PlanEvent,
} from "../../../../../supabase/functions/_shared/engine/decision.ts";
import type { Job } from "../../../../../supabase/functions/_shared/engine/job.ts";
import { plan, releaseJob } from "../../../../../supabase/functions/_shared/engine/plan.ts";
import { Families, type Family } from "./families.ts";
import { checkRows } from "./invariants.ts";
import type { Story } from "./story.ts";

/** An event of a held job; what was sent is looked up when its messages are read. */
type HeldEvent =
  | Exclude<PlanEvent, { type: "messages" }>
  | Omit<PlanEvent & { type: "messages" }, "sent">;

/** A job that an owner holds. */
export interface Held {
  job: Job;
  readonly events: HeldEvent[];
  /** What is out. */
  sent: { delivery: Delivery; startedAt: number } | null;
  /** Decided, but not durable. */
  pending: Decision | null;
  readonly heard: Set<number>;
}

/** One process that claims, plans and commits. */
export class Owner {
  readonly held = new Map<string, Held>();
  private readonly families = new Families();
  /** It does nothing, and does not extend its leases. */
  isFrozen = false;
  readonly token: string;
  private readonly story: Story;

  constructor(token: string, story: Story) {
    this.token = token;
    this.story = story;
  }

  claim(ids: readonly string[]): void {
    for (const job of this.story.db.claim(this.token, ids)) this.hold(job);
  }

  private hold({ messages, ...job }: ClaimedJob): void {
    const { db } = this.story;
    const past = this.held.get(job.job_id);
    if (past !== undefined) this.drop(past);
    const held: Held = {
      job: job.branch === null ? job : { ...job, around: db.around(db.job(job.job_id)) },
      events: [{ type: "claimed", messages }],
      sent: null,
      pending: null,
      heard: new Set(messages.map(({ id }) => id)),
    };
    this.held.set(job.job_id, held);
    this.families.join(job);
  }

  /** Keeps its leases, and hears of new messages. */
  extend(held: Held): void {
    const messages = this.story.db.extend(this.token, held.job.job_id);
    if (messages === null) this.drop(held);
    else this.hear(held, messages);
  }

  private hear(held: Held, messages: readonly Message[]): void {
    const news = messages.filter(({ id }) => !held.heard.has(id));
    for (const { id } of news) held.heard.add(id);
    if (news.length > 0) held.events.push({ type: "messages", messages: news });
  }

  /** Decides about the next event of a job. */
  async decide(held: Held): Promise<void> {
    const event = held.events.shift();
    assert.ok(event !== undefined && held.pending === null);
    const { job, sent } = held;
    const context = this.story.contextOf(job);
    const planned: PlanEvent = event.type === "messages"
      ? {
        ...event,
        sent: sent === null
          ? { input: null, startedAt: context.now }
          : { input: sent.delivery.input, startedAt: sent.startedAt },
      }
      : event;
    const decision = await plan(context, job, planned);
    await this.story.checkPure(context, job, planned, decision);
    if (!this.held.has(job.job_id)) return;
    const { write } = decision;
    if (write === null) return this.apply(held, decision);
    if (decision.effect.type === "release") held.sent = null;
    held.pending = this.keepFamily(held, decision, write);
  }

  private checkMayBegin({ job_id, state, slot_key }: Job): void {
    assert.ok(!state.paused, "a paused job begins something");
    const { held_slots, lease_token } = this.story.db.job(job_id);
    const isStale = lease_token !== this.token;
    const mayRun = isStale || slot_key === null || held_slots.includes(slot_key);
    assert.ok(mayRun, "an item runs without its slot");
  }

  /** The job is given back before its attempt was sent. */
  private leave(held: Held): void {
    const decision = releaseJob(held.job, this.story.db.now);
    if (decision.write !== null) held.pending = this.keepFamily(held, decision, decision.write);
  }

  /** A parent whose children may run here is kept; the children's ends are told to it. */
  private keepFamily(held: Held, decision: Decision, write: JobWrite): Decision {
    const { job_id } = held.job;
    if (decision.effect.type !== "keep") this.families.dissolve(job_id);
    if (Families.fits(write) && this.story.random.chance(0.5)) {
      return { ...decision, write: this.families.adopt(write), effect: { type: "keep" } };
    }
    const news = this.families.notice(held.job, write);
    if (news !== null) this.tellParent(news.family, news.isComplete);
    return decision;
  }

  private tellParent(family: Family, isComplete: boolean): void {
    this.families.dissolve(family.parentId);
    const parent = this.held.get(family.parentId);
    const ends = [...family.ends.values()].sort((a, b) => a.index - b.index);
    parent?.events.push(isComplete ? { type: "children", ends } : { type: "scattered" });
  }

  private scatterFamilyOf(childId: string): void {
    const family = this.families.familyOf(childId);
    if (family !== undefined) this.tellParent(family, false);
  }

  /** Makes durable what was decided. @param dies whether the process ends before it goes on */
  commit(dies: boolean): void {
    const { db } = this.story;
    const waiting = [...this.held.values()].filter(({ pending }) => pending !== null);
    const writes = waiting.flatMap(({ pending, heard, events }) => {
      if (!pending?.write) return [];
      return [afterMail(pending.write, heard.size > 0 && hasMail(events), db.now)];
    });
    const stale = new Set(
      writes.map(({ job }) => job.job_id)
        .filter((id) => db.jobs.get(id)?.lease_token !== this.token),
    );
    const reply = db.commit(this.token, writes);
    for (const id of stale) assert.equal(reply.results.get(id), "lost", "a stale owner wrote");
    checkRows(db);
    this.story.outside.look();
    if (dies) return this.die();
    for (const { job_id, messages } of reply.woken) {
      const held = this.held.get(job_id);
      if (held !== undefined) this.hear(held, messages);
    }
    for (const held of waiting) {
      const { pending: decision } = held;
      held.pending = null;
      const outcome = reply.results.get(held.job.job_id);
      if (outcome === "lost") this.scatterFamilyOf(held.job.job_id);
      const isJoin = typeof decision?.write?.job.joined_failures === "number";
      if (outcome === "lost" && isJoin && this.held.get(held.job.job_id) === held) {
        held.events.push({ type: "scattered" });
        continue;
      }
      if (decision === null || outcome !== "committed") this.drop(held);
      else this.apply(held, decision);
    }
    for (const job of reply.claimed) this.hold(job);
  }

  private apply(held: Held, { job, effect, write }: Decision): void {
    held.job = job;
    switch (effect.type) {
      case "dispatch":
        this.checkMayBegin(job);
        if (this.story.isLeft()) return this.leave(held);
        held.sent = { delivery: effect.delivery, startedAt: this.story.db.now };
        return;
      case "again":
        held.events.push({ type: "again" });
        return;
      case "admit": {
        const admission = write?.job.admission;
        if (admission?.kind === "slot") {
          held.job = { ...job, held_slots: [...job.held_slots, admission.key] };
        }
        held.events.push({ type: "admitted" });
        return;
      }
      case "keep":
        return;
      case "release":
        this.drop(held);
    }
  }

  /** The attempt that is out ends, or its executor is gone. */
  finish(held: Held): void {
    const { sent, job } = held;
    assert.ok(sent !== null);
    const { delivery, startedAt } = sent;
    const { attempt, input } = delivery;
    const end = this.story.outside.execute(job.job_id, delivery);
    held.sent = null;
    const told = { attempt, sent: { input, startedAt } };
    held.events.push(
      end === "lost"
        ? { type: "lost", reason: "gone", ...told }
        : { type: "result", result: end, ...told },
    );
  }

  private drop(held: Held): void {
    const { job_id } = held.job;
    if (this.held.get(job_id) !== held) return;
    this.held.delete(job_id);
    this.families.dissolve(job_id);
    if (!this.families.hasEnded(job_id)) this.scatterFamilyOf(job_id);
  }

  /** The process is gone, with all that it knew. */
  die(): void {
    this.held.clear();
    this.story.bury(this);
  }
}

function hasMail(events: readonly HeldEvent[]): boolean {
  return events.some(({ type }) => type === "messages");
}

/** Messages that a parking job's decision did not know of are to be looked at again at once. */
function afterMail(write: JobWrite, isOwed: boolean, now: number): JobWrite {
  const { job } = write;
  if (!isOwed || !["pending", "waiting", "awaiting_retry"].includes(job.status)) {
    return write;
  }
  return { ...write, job: { ...job, next_run_at: new Date(now).toISOString() } };
}
