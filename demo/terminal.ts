import { cut } from "./format.ts";

const FRAMES = [..."⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"];
const REDRAW_MS = 80;
const HIDE_CURSOR = "\x1b[?25l";
const SHOW_CURSOR = "\x1b[?25h";
/** What data must not send to a terminal. */
// deno-lint-ignore no-control-regex -- control characters are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g;

/** Colours by what they mean. */
const STYLES = { plain: "0", bold: "1", dim: "2", good: "32", bad: "31", busy: "36" } as const;
export type Style = keyof typeof STYLES;

/** One piece of a line, in one style. */
export type Span = string | readonly [text: string, style: Style];
export type Line = readonly Span[];

/**
 * Where the demo writes. `live`: a terminal on which lines can be drawn again in place; else every
 * line is written once, without colours.
 */
export class Terminal {
  readonly live: boolean;
  #drawn = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  #draw: (() => Line[]) | undefined;
  readonly #encoder = new TextEncoder();
  #onGone: () => void = () => {};

  constructor(options: { live: boolean }) {
    this.live = options.live;
  }

  /** The terminal of this process: live unless output goes elsewhere or `NO_COLOR` is set. */
  static ofProcess({ verbose }: { verbose: boolean }): Terminal {
    const plain = verbose || !Deno.stdout.isTerminal() || Deno.env.get("TERM") === "dumb" ||
      (Deno.env.get("NO_COLOR") ?? "") !== "";
    return new Terminal({ live: !plain });
  }

  /** Has `callback` called when nobody reads any more: `deno task demo | head`. */
  onGone(callback: () => void): void {
    this.#onGone = callback;
  }

  /** Columns that a line may take. */
  get width(): number {
    if (!this.live) return 110;
    try {
      return Math.max(40, Math.min(Deno.consoleSize().columns - 1, 130));
    } catch {
      return 79; // a terminal that does not tell its size
    }
  }

  /** Writes a line for good; above what is being drawn in place. */
  line(...spans: Span[]): void {
    this.#erase();
    this.#write(`${this.#render(spans, Infinity)}\n`);
    this.#redraw();
  }

  /** The picture of something that goes on: changes with time. */
  get spinner(): string {
    return FRAMES[Math.floor(performance.now() / REDRAW_MS) % FRAMES.length] ?? "";
  }

  /** Draws lines in place, again and again, until {@link keep}; does nothing where not live. */
  draw(lines: () => Line[]): void {
    if (!this.live) return;
    this.#draw = lines;
    if (this.#timer === undefined) {
      this.#write(HIDE_CURSOR);
      this.#timer = setInterval(() => this.#redraw(), REDRAW_MS);
    }
    this.#redraw();
  }

  /** Draws a last time, and leaves the lines standing. */
  keep(): void {
    if (this.#draw === undefined) return;
    this.#redraw();
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#draw = undefined;
    this.#drawn = 0;
    this.#write(SHOW_CURSOR);
  }

  #redraw(): void {
    if (this.#draw === undefined) return;
    const lines = this.#draw();
    this.#erase();
    // Each on one row of the screen, or going up would miss some.
    this.#write(lines.map((line) => `${this.#render(line, this.width)}\n`).join(""));
    this.#drawn = lines.length;
  }

  #erase(): void {
    if (this.#drawn > 0) this.#write(`\x1b[${this.#drawn}F\x1b[0J`);
    this.#drawn = 0;
  }

  #render(spans: Line, width: number): string {
    let left = width;
    return spans.map((span) => {
      const [text, style] = typeof span === "string" ? [span, undefined] : span;
      const fitting = cut(text.replaceAll(CONTROL, " "), left);
      left -= [...fitting].length;
      return style === undefined || !this.live || fitting === ""
        ? fitting
        : `\x1b[${STYLES[style]}m${fitting}\x1b[0m`;
    }).join("").trimEnd();
  }

  #write(text: string): void {
    const bytes = this.#encoder.encode(text);
    try {
      for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
    } catch (error) {
      if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
      this.#onGone();
    }
  }
}
