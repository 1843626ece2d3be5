import { inspect } from "node:util";

const PAUSE_MS = 15;

/**
 * Looks again and again until it is done, and answers what was seen last.
 *
 * @throws Error with what was seen last when `limitMs` have passed
 */
export async function until<T>(
  look: () => Promise<{ done: boolean; value: T }> | { done: boolean; value: T },
  limitMs = 20_000,
): Promise<T> {
  const end = performance.now() + limitMs;
  for (;;) {
    const { done, value } = await look();
    if (done) return value;
    if (performance.now() > end) {
      throw new Error(`Waited in vain; what was seen last is ${inspect(value, { depth: 4 })}`);
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
