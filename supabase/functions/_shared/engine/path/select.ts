import { child } from "./find.ts";
import type { Segment, Selector } from "./path.ts";

/** How many places one path may look at: beyond it, `$..*..*` would hold up every other job. */
export const MAX_VISITS = 1_000_000;

/** Thrown when a path looks at more than {@link MAX_VISITS} places. */
export class TooManyVisits extends Error {
  override readonly name = "TooManyVisits";
  override readonly message = `looks at more than ${MAX_VISITS} places`;
}

/** All values that a path finds, in the order of the document; none gives `[]`. */
export function select(root: unknown, segments: readonly Segment[]): unknown[] {
  const walk = new Walk(root);
  return segments.reduce<unknown[]>((values, segment) => walk.step(values, segment), [root]);
}

type Child = readonly [key: string | number, value: unknown];

class Walk {
  readonly #root: unknown;
  #visits = 0;

  constructor(root: unknown) {
    this.#root = root;
  }

  step(values: readonly unknown[], { deep, selector }: Segment): unknown[] {
    const found: unknown[] = [];
    for (const value of values) {
      if (deep) this.#descend(value, selector, found);
      else this.#pick(value, selector, found);
    }
    return found;
  }

  /** The place itself first, then each child with all that is below it. */
  #descend(value: unknown, selector: Selector, found: unknown[]): void {
    // A stack of our own: a document may be nested deeper than calls can be.
    const open = [value];
    while (open.length > 0) {
      const next = open.pop();
      this.#pick(next, selector, found);
      const below = this.#children(next);
      for (let i = below.length - 1; i >= 0; i--) {
        const item = below[i]?.[1];
        if (typeof item === "object" && item !== null) open.push(item);
      }
    }
  }

  #pick(value: unknown, selector: Selector, found: unknown[]): void {
    this.#count(1);
    switch (selector.kind) {
      case "key":
        return pushFound(found, child(value, selector.key));
      case "union":
        this.#count(selector.keys.length);
        return selector.keys.forEach((key) => pushFound(found, child(value, key)));
      case "any":
        return this.#children(value).forEach(([, item]) => found.push(item));
      case "slice":
        if (Array.isArray(value)) {
          sliceIndexes(value.length, selector).forEach((i) => found.push(value[i]));
        }
        return;
      case "filter":
        for (const [property, item] of this.#children(value)) {
          const subject = { value: item, property, parent: value, root: this.#root };
          if (selector.filter.matches(subject)) found.push(item);
        }
    }
  }

  #children(value: unknown): readonly Child[] {
    if (typeof value !== "object" || value === null) return [];
    const children: readonly Child[] = Array.isArray(value)
      ? value.map((item, i) => [i, item] as const)
      : Object.entries(value);
    this.#count(children.length);
    return children;
  }

  #count(places: number): void {
    this.#visits += places;
    if (this.#visits > MAX_VISITS) throw new TooManyVisits();
  }
}

function pushFound(found: unknown[], value: unknown): void {
  if (value !== undefined) found.push(value);
}

/** The indexes that `[start:end:step]` means, as Python has it. */
function sliceIndexes(
  length: number,
  { start, end, step }: { start: number | undefined; end: number | undefined; step: number },
): number[] {
  if (step === 0) return [];
  const forward = step > 0;
  const [low, high] = forward ? [0, length] : [-1, length - 1];
  const bound = (index: number | undefined, fallback: number): number =>
    index === undefined
      ? fallback
      : Math.min(Math.max(index < 0 ? index + length : index, low), high);
  const last = bound(end, forward ? high : low);
  const indexes: number[] = [];
  for (let i = bound(start, forward ? low : high); forward ? i < last : i > last; i += step) {
    indexes.push(i);
  }
  return indexes;
}
