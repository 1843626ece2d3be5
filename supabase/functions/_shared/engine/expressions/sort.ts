import { ExpressionFailure } from "./failure.ts";

/** Whether the first of two items belongs behind the second. */
export type Comparator = (a: unknown, b: unknown) => unknown;

/**
 * `$sort`: stable, in time and memory that grow with n log n. JSONata's own copies what it has
 * merged with every item: 30,000 texts take all the memory there is.
 *
 * @throws {ExpressionFailure} for a mixed array without a comparator
 */
export async function sort(items: readonly unknown[], comparator?: Comparator): Promise<unknown[]> {
  const isBehind = comparator ?? defaultComparator(items);
  let runs = [...items];
  for (let width = 1; width < runs.length; width *= 2) {
    const merged: unknown[] = [];
    for (let from = 0; from < runs.length; from += 2 * width) {
      await merge(runs, from, width, isBehind, merged);
    }
    runs = merged;
  }
  return runs;
}

async function merge(
  runs: readonly unknown[],
  from: number,
  width: number,
  isBehind: Comparator,
  into: unknown[],
): Promise<void> {
  const middle = Math.min(from + width, runs.length);
  const end = Math.min(from + 2 * width, runs.length);
  let left = from, right = middle;
  while (left < middle && right < end) {
    const answer = isBehind(runs[left], runs[right]);
    // Only a comparator of the expression's own is asynchronous; awaiting each would cost more.
    const behind = answer instanceof Promise ? await answer : answer;
    into.push(behind ? runs[right++] : runs[left++]);
  }
  while (left < middle) into.push(runs[left++]);
  while (right < end) into.push(runs[right++]);
}

function defaultComparator(items: readonly unknown[]): Comparator {
  const type = typeof items[0];
  if (items.some((item) => typeof item !== type) || (type !== "number" && type !== "string")) {
    if (items.length > 1) {
      throw new ExpressionFailure("$sort needs numbers only, texts only, or a function to compare");
    }
  }
  return (a, b) => (a as number | string) > (b as number | string);
}
