import type { ErrorInfo } from "../contracts/errors.ts";
import type { ChildEnd, JobWrite, Message, Transformer } from "../contracts/turn.ts";
import type { CheckedDefinition } from "./definition/check.ts";
import type { AttemptRef, Job } from "./job.ts";

/** What is known beside the job itself. The same context and event always give the same decision. */
export interface PlanContext {
  readonly definition: CheckedDefinition;
  readonly transformers: ReadonlyMap<string, Transformer>;
  /** The database's clock, in ms since 1970. */
  readonly now: number;
  /** Uniform in [0, 1), for jitter. */
  readonly random: number;
  /** How often one attempt is delivered again before it counts as failed. */
  readonly maxRedeliveries: number;
  /** Largest output that a step may compute, in bytes of its JSON. */
  readonly maxPayloadBytes: number;
  /** A fresh UUID, for the one job that a decision may have to name. */
  readonly newId: string;
}

/** What an executor said of a task. */
export type AttemptResult =
  | { readonly status: "completed"; readonly output: unknown }
  | { readonly status: "failed"; readonly error: ErrorInfo }
  | { readonly status: "accepted" };

/** What is known of an attempt that was sent, for its record. */
export interface SentAttempt {
  readonly input: unknown;
  /** In ms since 1970. */
  readonly startedAt: number;
}

/** What has happened to a job that somebody owns. */
export type PlanEvent =
  /** It was just leased: go on from where its row stands. */
  | { readonly type: "claimed"; readonly messages: readonly Message[] }
  /** A decision with the effect `again` is durable: go on. */
  | { readonly type: "again" }
  /** A decision with the effect `admit` is durable, and what it asked for was granted. */
  | { readonly type: "admitted" }
  /** All children that the job waits for have ended, while it was held. */
  | { readonly type: "children"; readonly ends: readonly ChildEnd[] }
  /** The job was held while its children ran here, and some of them do so no more: park. */
  | { readonly type: "scattered" }
  /** The attempt that was out has a result. */
  | {
    readonly type: "result";
    readonly attempt: AttemptRef;
    readonly result: AttemptResult;
    readonly sent: SentAttempt;
  }
  /** The executor of the attempt that was out is gone, and nobody knows how far it came. */
  | {
    readonly type: "lost";
    readonly attempt: AttemptRef;
    readonly reason: string;
    readonly sent: SentAttempt;
  }
  /** Messages came in while a task was out. */
  | {
    readonly type: "messages";
    readonly messages: readonly Message[];
    readonly sent: SentAttempt;
  };

/** One delivery of one attempt, for the dispatcher. */
export interface Delivery {
  readonly attempt: AttemptRef;
  readonly transformer: Transformer;
  /** The transformer's config with the step's merged over it. */
  readonly config: Record<string, unknown>;
  readonly input: unknown;
  /** Seconds that the attempt may take, from the moment it is sent. */
  readonly timeoutSeconds: number;
  /** The executor may finish it later, by token. */
  readonly callback: boolean;
  /** Deliveries of this attempt before this one. One that was lost travels alone. */
  readonly redeliveries: number;
}

/** What is to be done once the decision is durable. */
export type Effect =
  | { readonly type: "dispatch"; readonly delivery: Delivery }
  /** More could be decided, but what was is to be made durable first. */
  | { readonly type: "again" }
  /** As `again`, where the database grants what the write asks for; else the job is parked. */
  | { readonly type: "admit" }
  /** The task that is out goes on. */
  | { readonly type: "keep" }
  /** Nothing: the job is parked or has ended; what is out for it is to be aborted. */
  | { readonly type: "release" };

/** What `plan` decides. */
export interface Decision {
  /** The job as it is after the decision. */
  readonly job: Job;
  /** What a commit must write before the effect; null when the row stands as it should. */
  readonly write: JobWrite | null;
  readonly effect: Effect;
}
