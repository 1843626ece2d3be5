import {
  DatabaseUnavailableError,
  StatementTimeoutError,
  TransactionConflictError,
} from "./errors.ts";

/** Waits for a number of milliseconds. */
export type Sleep = (ms: number) => Promise<void>;

const ATTEMPTS = 4;
const BASE_DELAY_MS = 25;

/**
 * Does a call again when it lost against another transaction or its connection broke, after
 * 25, 100 and 400 ms with full jitter. Only for calls that may be applied twice.
 *
 * @throws what the last attempt threw
 */
export async function retrying<T>(
  call: () => Promise<T>,
  sleep: Sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
): Promise<T> {
  for (let attempt = 0;; attempt++) {
    try {
      return await call();
    } catch (error) {
      // What took too long would do so again.
      const mayPass = error instanceof TransactionConflictError ||
        (error instanceof DatabaseUnavailableError && !(error instanceof StatementTimeoutError));
      if (!mayPass || attempt === ATTEMPTS - 1) throw error;
      await sleep(Math.random() * BASE_DELAY_MS * 4 ** attempt);
    }
  }
}
