import { deadlineFailure } from "../failure.ts";

/** Memory that a task holds; to be released when the task is done. */
export interface MemoryLease {
  /** Gives back what turned out not to be needed. */
  shrinkTo(bytes: number): void;
  release(): void;
}

interface Waiting {
  bytes: number;
  start: () => void;
}

/**
 * Shares an isolate's memory among the tasks of a batch, first come, first served: media inside a
 * request exist four times over (bytes, base64, JSON, its encoding), and 256 MB is all there is.
 */
export class MemoryBudget {
  readonly #total: number;
  readonly #waiting: Waiting[] = [];
  #used = 0;

  /** @param total bytes that all leases together may hold. */
  constructor(total: number) {
    this.#total = total;
  }

  /**
   * Waits until that much is free. More than there is in all counts as all of it.
   *
   * @throws {ExecutorError} `timeout` when the signal is aborted first.
   */
  async acquire(bytes: number, signal: AbortSignal): Promise<MemoryLease> {
    let held = Math.min(bytes, this.#total);
    if (this.#waiting.length > 0 || this.#used + held > this.#total) {
      await this.#wait(held, signal);
    } else {
      this.#used += held;
    }
    const shrinkTo = (wanted: number) => {
      const kept = Math.min(wanted, held);
      this.#used -= held - kept;
      held = kept;
      this.#startWaiting();
    };
    return { shrinkTo, release: () => shrinkTo(0) };
  }

  #wait(bytes: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = () => {
        this.#waiting.splice(this.#waiting.indexOf(entry), 1);
        reject(deadlineFailure("the wait for memory"));
        this.#startWaiting();
      };
      const entry: Waiting = {
        bytes,
        start: () => {
          signal.removeEventListener("abort", stop);
          resolve();
        },
      };
      this.#waiting.push(entry);
      signal.addEventListener("abort", stop, { once: true });
      if (signal.aborted) stop();
    });
  }

  #startWaiting(): void {
    for (
      let first = this.#waiting[0];
      first !== undefined;
      first = this.#waiting[0]
    ) {
      if (this.#used + first.bytes > this.#total) return;
      this.#waiting.shift();
      this.#used += first.bytes;
      first.start();
    }
  }
}
