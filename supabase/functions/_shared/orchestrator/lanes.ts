/** Lets tasks pass one after the other, each lane by itself. */
export class Lanes {
  private readonly ends = new Map<string, Promise<void>>();

  /**
   * Calls `go` when all that entered the lane before are over, which is when their signals are
   * aborted; not at all when `signal` is aborted before that. `go` must not throw.
   */
  enter(lane: string, signal: AbortSignal, go: () => void): void {
    const before = this.ends.get(lane) ?? Promise.resolve();
    this.ends.set(
      lane,
      before.then(() => {
        if (signal.aborted) return;
        const over = new Promise<void>((resolve) =>
          signal.addEventListener("abort", () => resolve(), { once: true })
        );
        go();
        return over;
      }),
    );
  }
}
