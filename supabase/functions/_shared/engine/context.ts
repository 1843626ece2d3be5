import type { JobDocument } from "./document.ts";

/** All that paths and expressions may depend on: the same context always gives the same values. */
export interface EvaluationContext {
  readonly document: JobDocument;
  /** What `$now()` and `$millis()` answer. */
  readonly now: Date;
  /** What `$random()` and `$shuffle()` draw from: the same text draws the same numbers. */
  readonly seed: string;
}

/** A value of the definition, parsed, and ready for any job. */
export interface CompiledValue {
  /**
   * The value for one job; what it holds may be shared with the job document, so it must not be
   * changed. A promise only where the value holds an expression.
   * @throws {EngineError} `mapping_failed` or `expression_failed` (or the promise rejects with it)
   */
  evaluate(context: EvaluationContext): unknown;
  /** Whether `evaluate` gives a promise. */
  readonly async: boolean;
  /** Whether `evaluate` gives an equal value for every job. */
  readonly constant: boolean;
}
