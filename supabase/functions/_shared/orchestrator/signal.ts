/** Something to wait for that others raise; one raised while nobody waits is not lost. */
export class Signal {
  private raised = false;
  private wake: (() => void) | null = null;

  raise(): void {
    this.raised = true;
    this.wake?.();
  }

  /** Until it is raised, or at most this many milliseconds. */
  async wait(ms: number): Promise<void> {
    if (!this.raised) {
      await new Promise<void>((resolve) => {
        // Timers take at most 2^31 - 1 ms; whoever waits looks again anyway.
        const timer = setTimeout(resolve, Math.min(Math.max(ms, 0), 60_000));
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.wake = null;
    this.raised = false;
  }
}
