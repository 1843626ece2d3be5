import { errorInfo } from "../../../../../supabase/functions/_shared/contracts/errors.ts";
import type {
  AttemptResult,
  Delivery,
} from "../../../../../supabase/functions/_shared/engine/decision.ts";
import { type Answers, EVENTS, payloadOf } from "./answers.ts";
import type { Database } from "./database.ts";
import { deliver, insertEvent } from "./events.ts";
import type { Random } from "./random.ts";
import type { ApprovalRow } from "./rows.ts";

/** Executors, people and whoever emits events: what they do, and when. */
export class Outside {
  private agenda: { at: number; run: () => void }[] = [];
  private readonly arranged = new Set<string>();
  private readonly db: Database;
  private readonly random: Random;
  private readonly answers: Answers;
  /** Of an executor to be lost. */
  private readonly lost: number;

  constructor(db: Database, random: Random, answers: Answers, lost: number) {
    this.db = db;
    this.random = random;
    this.answers = answers;
    this.lost = lost;
  }

  /** What an executor does with a delivery, which it may lose. */
  execute(jobId: string, { attempt, input, callback }: Delivery): AttemptResult | "lost" {
    if (this.random.chance(this.lost)) return "lost";
    const asked = { ...attempt, path: this.db.job(jobId).path, stepId: attempt.step_id };
    const answer = attempt.check ? this.answers.check(asked) : this.answers.task(asked, input);
    const result: AttemptResult = answer.type === "completed"
      ? { status: "completed", output: answer.output }
      : { status: "failed", error: errorInfo(answer.code as "timeout", "as drawn") };
    if (!callback || attempt.check) return result;
    const when = this.answers.callback(asked);
    if (when === "at once") return result;
    if (when === "later") {
      const { step_id, visit } = attempt;
      const payload = { ...result };
      const at = { step_id, visit, attempt: attempt.attempt, payload };
      // Some come before their step is parked, and some twice.
      const send = () => void this.db.send(jobId, "step_result", at);
      this.arrange(this.random.chance(0.3) ? 0 : this.random.below(20_000), send);
      if (this.random.chance(0.3)) this.arrange(this.random.below(90_000), send);
      if (this.random.chance(0.3)) this.act();
    }
    return { status: "accepted" };
  }

  /** When the next of them does something, in ms since 1970. */
  get times(): number[] {
    return this.agenda.map(({ at }) => at);
  }

  /** Has something done later. */
  arrange(inMs: number, run: () => void): void {
    this.agenda.push({ at: this.db.now + inMs, run });
  }

  /** Does all that is due. */
  act(): void {
    const due = this.agenda.filter(({ at }) => at <= this.db.now);
    this.agenda = this.agenda.filter(({ at }) => at > this.db.now);
    for (const { run } of this.random.shuffled(due)) run();
  }

  /** After a commit: whoever was asked something is going to answer. */
  look(): void {
    for (const approval of this.db.approvals) this.hear(approval);
    for (const [jobId, { event, step_id, visit }] of this.db.waits) {
      if (!this.isNew(`${jobId} ${step_id} ${visit}`)) continue;
      this.promise(event);
      // Some come long before the visit that takes them.
      const next = `${jobId} ${step_id} ${visit + 1}`;
      if (this.random.chance(0.5) && this.isNew(next)) this.promise(event);
    }
  }

  private isNew(key: string): boolean {
    if (this.arranged.has(key)) return false;
    this.arranged.add(key);
    return true;
  }

  private hear(approval: ApprovalRow): void {
    const { db, random } = this;
    const { job_id, step_id: stepId, visit, attempt, status, expires_at } = approval;
    if (status !== "open" || !this.isNew(`${job_id} ${stepId} ${visit} ${attempt}`)) return;
    const { path } = db.job(job_id);
    const said = this.answers.person({ path, stepId, visit, attempt }, expires_at !== null);
    if (said === null) return;
    const longest = expires_at === null ? 500_000 : Math.max(expires_at - db.now - 1, 0);
    this.arrange(random.below(longest), () => {
      if (approval.status !== "open") return;
      approval.status = said.decision;
      const payload = { approval_id: "a", by: "someone", at: "then", notes: null, ...said };
      db.send(job_id, "decision", { step_id: stepId, visit, attempt, payload });
    });
  }

  private promise(event: string): void {
    const { random } = this;
    if (event.startsWith(EVENTS.never)) return;
    if (random.chance(0.4)) this.arrange(random.below(500_000), () => this.noise(event));
    this.arrange(random.below(900_000), () => {
      this.emit(event, event.startsWith(EVENTS.keyed) ? "mine" : null, payloadOf(event));
    });
  }

  /** Now and then the transaction of an event is through after those of later ones. */
  private emit(name: string, key: string | null, payload: unknown): void {
    const { db, random } = this;
    const event = insertEvent(db, name, key, payload);
    if (random.chance(0.3)) this.arrange(random.below(400_000), () => deliver(db, event));
    else deliver(db, event);
  }

  /** An event that is near to the one that is waited for, and not it. */
  private noise(event: string): void {
    if (event.startsWith(EVENTS.keyed)) this.emit(event, "other", { n: -1 });
    if (event.startsWith(EVENTS.matching)) this.emit(event, null, { ok: false });
  }
}
