import { hashOf } from "./random.ts";

/** What an executor answers to an attempt. */
export type TaskAnswer =
  | { readonly type: "completed"; readonly output: unknown }
  | { readonly type: "failed"; readonly code: string };

/** What a person answers; null: nothing at all. */
export type PersonAnswer = { readonly decision: "approved" | "rejected"; readonly form: unknown };

/** Which attempt of which job is meant. */
export interface Asked {
  readonly path: string;
  readonly stepId: string;
  readonly visit: number;
  readonly attempt: number;
}

/** What the form of a question asks for. */
export const FORM = { type: "object", required: ["ok"] };

/** The event names of a story begin with one of these. */
export const EVENTS = {
  /** One that comes, and whose payload is the same each time. */
  comes: "comes",
  /** One that comes, with others before it that do not match. */
  matching: "matching",
  /** One that comes under the key `mine`, and with another payload under others. */
  keyed: "keyed",
  /** One that nobody emits. */
  never: "never",
};

const CODES = ["timeout", "http_5xx", "http_4xx", "story.odd", "network"];
const ODD_OUTPUTS = [0, false, "", null, [], [3, 0, false], "abc"];

/**
 * Everything that the world outside answers, as a function of what it is asked and of nothing else:
 * whoever asks, and however often, hears the same.
 */
export class Answers {
  private readonly seed: number;
  /** Of 100 attempts, how many fail. */
  private readonly failing: number;

  constructor(seed: number) {
    this.seed = seed;
    this.failing = [0, 15, 35, 60][seed % 4] ?? 0;
  }

  private draw(what: string, { path, stepId, visit, attempt }: Asked, more = ""): number {
    return hashOf(`${this.seed}|${what}|${path}|${stepId}|${visit}|${attempt}|${more}`);
  }

  task(asked: Asked, input: unknown): TaskAnswer {
    const drawn = this.draw("task", asked);
    if (drawn % 100 < this.failing) {
      return { type: "failed", code: CODES[drawn % 997 % CODES.length] ?? "" };
    }
    const n = this.draw("output", asked, JSON.stringify(nameless(input)));
    if (n % 5 === 0) return { type: "completed", output: ODD_OUTPUTS[n % 31 % ODD_OUTPUTS.length] };
    const items = [null, 0, n % 3, { n: n % 7 }].slice(0, n % 13 % 5);
    return { type: "completed", output: { n: n % 4, ok: n % 3 > 0, items } };
  }

  /** What the executor of a check answers. */
  check(asked: Asked): TaskAnswer {
    const drawn = this.draw("check", asked);
    if (drawn % 7 === 0) return { type: "failed", code: "network" };
    if (drawn % 7 === 1) return { type: "completed", output: "no verdict" };
    return { type: "completed", output: { pass: drawn % 7 > 3, notes: "as drawn" } };
  }

  /** Whether an executor that may finish later does so, and whether it ever does. */
  callback(asked: Asked): "at once" | "later" | "never" {
    const drawn = this.draw("callback", asked) % 10;
    return drawn < 3 ? "at once" : drawn < 8 ? "later" : "never";
  }

  /** @param mayExpire whether the question has a time limit */
  person(asked: Asked, mayExpire: boolean): PersonAnswer | null {
    const drawn = this.draw("person", asked);
    if (mayExpire && drawn % 10 < 3) return null;
    const form = drawn % 37 % 3 === 0 ? {} : { ok: true };
    return { decision: drawn % 10 < 7 ? "approved" : "rejected", form };
  }
}

/** The payload of the event of a name that a step takes. */
export function payloadOf(name: string): unknown {
  return { ok: true, n: hashOf(name) % 4 };
}

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

/** A value without what differs from one telling of a story to the next: the ids of jobs. */
export function nameless(value: unknown): unknown {
  return JSON.parse((JSON.stringify(value) ?? "null").replaceAll(UUID, "some-job"));
}
