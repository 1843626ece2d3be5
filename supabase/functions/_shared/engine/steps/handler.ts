import type { Step, StepType } from "../../contracts/definition.ts";
import type { ErrorInfo } from "../../contracts/errors.ts";
import type {
  ApprovalRequest,
  ChildEnd,
  Message,
  Spawn,
  StepEntry,
  Subscription,
  Waiting,
} from "../../contracts/turn.ts";
import type { CheckedStepOf } from "../definition/checked.ts";
import type { Delivery, PlanContext } from "../decision.ts";
import type { Job } from "../job.ts";

/** How a visit of a step ends, or one attempt of it. */
export type Settlement =
  | {
    readonly type: "completed";
    readonly output: unknown;
    /** Where the job goes on, if not at the step's `next_step`. */
    readonly next?: string | undefined;
    /** False: what led to the step leads on from it, as its own output is nothing to work with. */
    readonly handsOn?: boolean;
    readonly errors?: StepEntry["errors"];
  }
  | {
    readonly type: "failed";
    readonly error: ErrorInfo;
    readonly output?: unknown;
    /** Where the job goes on without another attempt, whatever `on_error` says. */
    readonly next?: string | undefined;
  };

/** What a step asks of a person. */
export type Question = Omit<ApprovalRequest, "job_id" | "step_id" | "visit" | "attempt">;

/** A step that waits, with what tells it that the wait is over. */
export interface Parked {
  readonly type: "parked";
  readonly waiting: Waiting;
  readonly subscription?: Omit<Subscription, "job_id" | "step_id" | "visit">;
  readonly question?: Question;
}

/** What a step wants when it is its turn. */
export type StepOutcome =
  /** Work for an executor. */
  | { readonly type: "dispatch"; readonly delivery: Delivery }
  | Settlement
  | Parked
  /** Children, for which it waits, or which are on their own. */
  | {
    readonly type: "spawn";
    readonly waiting: Waiting;
    readonly spawn: Omit<Spawn, "job_id" | "step_id" | "visit">;
  }
  /** The job is completed; with no result of its own, by that of its definition. */
  | { readonly type: "succeed"; readonly result: { readonly value: unknown } | null }
  /** The job has failed, whatever error handlers there are. */
  | { readonly type: "fail"; readonly error: ErrorInfo };

/**
 * One step type: what it does when the job stands at it with an attempt to make. A step type is a
 * file in this folder and a line in `index.ts`; all that steps have in common (visits, `when`,
 * retries, error handlers, records) is `plan`'s. Whatever is thrown as {@link EngineError} fails
 * the attempt.
 */
export interface StepHandler<T extends StepType = StepType> {
  /** Begins the current attempt. */
  begin(
    job: Job,
    checked: CheckedStepOf<T>,
    context: PlanContext,
  ): Promise<StepOutcome>;
  /** What its time limit means, when what it waits for has not come. */
  expire?(job: Job, checked: CheckedStepOf<T>): Settlement;
  /** What an event or a decision means that came while it waits; null: it waits on. */
  receive?(
    job: Job,
    checked: CheckedStepOf<T>,
    message: Message,
  ): Promise<Settlement | null>;
  /** What comes of its children, all of which have ended, no more failed than it tolerates. */
  join?(
    checked: CheckedStepOf<T>,
    ends: readonly ChildEnd[],
    total: number,
  ): Settlement;
  /** Which of its children one is, for error messages. */
  childName?(checked: CheckedStepOf<T>, end: ChildEnd): string;
  /** The transformer whose row and retry policy belong to the step, if it has one. */
  transformerId?(step: Extract<Step, { type: T }>): string;
}
