import { setImmediate } from "node:timers";

/**
 * Lines on their way to one reader. All that gathers in one turn of the event loop, and while a
 * write is under way, leaves in one piece: results that are ready together cost one chunk, and
 * none waits for a timer.
 */
export class LineStream {
  readonly #encoder = new TextEncoder();
  #waiting = "";
  #ended = false;
  #wake: (() => void) | undefined;

  /** Whether all lines are in: if so, {@link take} has the whole text and no stream is needed. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Adds lines; each ends in a line feed. */
  push(lines: string): void {
    this.#waiting += lines;
    this.#wake?.();
  }

  /** Adds a line only where nothing else is on its way. */
  pushIfIdle(line: string): void {
    if (this.#waiting === "") this.push(line);
  }

  /** No more lines will come. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  /** Takes what waits. */
  take(): string {
    const lines = this.#waiting;
    this.#waiting = "";
    return lines;
  }

  /** The lines as a body; `onCancel` is called when its reader goes away. */
  stream(onCancel: (reason: unknown) => void): ReadableStream<Uint8Array> {
    let gone = false;
    return new ReadableStream({
      pull: async (controller) => {
        if (this.#waiting === "" && !this.#ended) await this.#more();
        if (!gone) await endOfTurn();
        if (gone) return;
        if (this.#waiting !== "") controller.enqueue(this.#encoder.encode(this.take()));
        if (this.#ended) controller.close();
      },
      cancel: (reason) => {
        gone = true;
        onCancel(reason);
      },
    }, { highWaterMark: 0 });
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }
}

/** When everything that was due in this turn of the event loop has run. */
function endOfTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
