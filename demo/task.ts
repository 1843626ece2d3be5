import { duration } from "./format.ts";
import type { Line, Terminal } from "./terminal.ts";

/** A piece of work takes long from here on: the person who waits is told why. */
export const LONG_MS = 1_500;

/** What is said about a piece of work. */
export interface TaskText<T> {
  /** While it goes on. */
  doing: string;
  /** Added when it takes long. */
  whenLong?: string;
  /** When it is done; an empty text leaves no line. */
  done: (result: T, milliseconds: number) => string;
}

/** Shows a piece of work while it goes on, and how long it took. */
export async function showTask<T>(
  terminal: Terminal,
  text: TaskText<T>,
  work: Promise<T>,
): Promise<T> {
  const began = performance.now();
  const elapsed = () => performance.now() - began;
  let outcome: Line[] | undefined;
  terminal.draw(() => outcome ?? [doingLine(terminal, text, elapsed())]);
  const long = setTimeout(() => {
    if (!terminal.live) terminal.line(`  … ${text.doing}${suffix(text)}`);
  }, LONG_MS);
  try {
    const result = await work;
    const done = text.done(result, elapsed());
    outcome = done === ""
      ? []
      : [["  ", ["✓", "good"], ` ${done}`, [`  ${duration(elapsed())}`, "dim"]]];
    if (!terminal.live) { for (const line of outcome) terminal.line(...line); }
    return result;
  } catch (error) {
    outcome = [["  ", ["✗", "bad"], ` ${text.doing}`]];
    throw error;
  } finally {
    clearTimeout(long);
    terminal.keep();
  }
}

function doingLine<T>(terminal: Terminal, text: TaskText<T>, elapsedMs: number): Line {
  return [
    "  ",
    [terminal.spinner, "busy"],
    ` ${text.doing}${elapsedMs > LONG_MS ? suffix(text) : ""}`,
    [`  ${duration(elapsedMs)}`, "dim"],
  ];
}

function suffix<T>({ whenLong }: TaskText<T>): string {
  return whenLong === undefined ? "" : ` (${whenLong})`;
}
