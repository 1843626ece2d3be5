import type { EvaluationContext } from "../context.ts";
import type { Place } from "../place.ts";
import { ExpressionFailure } from "./failure.ts";
import { MAX_ITEMS, MAX_STEPS, MAX_TEXT, MAX_TEXT_WORK } from "./limits.ts";
import { seededRandom } from "./random.ts";

/** The name under which an evaluation finds its run; with a space, no expression can say it. */
const RUN_NAME = " run";

/** What JSONata hands to its hooks and functions. */
export interface Environment {
  lookup(name: string): unknown;
  timestamp: Date;
}

type FormatMillis = (
  this: unknown,
  millis: number,
  picture: unknown,
  timezone: unknown,
) => unknown;

/** One evaluation of one expression: what it may use up, and what it is told of the world. */
export class Run {
  readonly now: Date;
  readonly random: () => number;
  #steps = 0;
  #text = 0;
  #fromMillis: unknown;

  /** @param place where the expression stands: each draws numbers of its own */
  constructor({ now, seed }: EvaluationContext, place: Place) {
    this.now = now;
    this.random = seededRandom(`${seed} ${place}`);
  }

  /** Counts a node that is about to be evaluated. */
  enter(environment: Environment): void {
    this.#steps += 1;
    if (this.#steps > MAX_STEPS) {
      throw new ExpressionFailure(`it takes more than ${MAX_STEPS} steps`);
    }
    if (this.#steps > 1) return;
    // The first node is given the outermost environment; all others inherit from it.
    environment.timestamp = this.now;
    this.#fromMillis = environment.lookup("fromMillis");
  }

  /** The time of the run as `$now()` prints it, by JSONata's own `$fromMillis`. */
  formatNow(focus: unknown, picture: unknown, timezone: unknown): unknown {
    const { implementation } = this.#fromMillis as { implementation: FormatMillis };
    return implementation.call(focus, this.now.getTime(), picture, timezone);
  }

  /** Looks at what a node has given: nothing can grow without passing here. */
  leave(result: unknown): void {
    if (typeof result === "string") {
      this.#text += result.length;
      if (result.length > MAX_TEXT) {
        throw new ExpressionFailure(`it makes a text of more than ${MAX_TEXT} characters`);
      }
      if (this.#text > MAX_TEXT_WORK) {
        throw new ExpressionFailure(`it works on more than ${MAX_TEXT_WORK} characters of text`);
      }
    }
    if (Array.isArray(result) && result.length > MAX_ITEMS) {
      throw new ExpressionFailure(`it makes an array of more than ${MAX_ITEMS} items`);
    }
  }
}

/** The bindings that carry a run into an evaluation. */
export function bindRun(run: Run): Record<string, unknown> {
  return { [RUN_NAME]: run };
}

/** The run that an evaluation belongs to. */
export function runOf(environment: Environment): Run {
  const run = environment.lookup(RUN_NAME);
  if (run instanceof Run) return run;
  throw new ExpressionFailure("it is evaluated outside of a run");
}
