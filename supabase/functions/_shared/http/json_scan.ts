import { numberFault } from "./number_digits.ts";

/** What is wrong with a JSON text, and where. */
export interface JsonFault {
  kind: "syntax" | "content";
  message: string;
  /** Offset in the text, in UTF-16 units. */
  position: number;
  path: readonly (string | number)[];
}

/**
 * Looks for what `JSON.parse` would not tell, or tells without a place: bad syntax; nesting beyond
 * `maxDepth` levels; `\u0000` and lone surrogates, which Postgres cannot store; numbers that would
 * silently lose digits. Only the raw text shows the last one.
 */
export function findJsonFault(text: string, maxDepth: number): JsonFault | null {
  try {
    new Scanner(text, maxDepth).document();
    return null;
  } catch (error) {
    if (error instanceof Stop) return error.fault;
    throw error;
  }
}

/** Leaves the descent at the first fault. */
class Stop extends Error {
  constructor(readonly fault: JsonFault) {
    super(fault.message);
  }
}

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
// deno-lint-ignore no-control-regex -- JSON forbids raw control characters in strings
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const LITERAL = /true|false|null/y;
const HEX4 = /[0-9a-fA-F]{4}/y;

/** A recursive descent: `maxDepth` keeps it from using up the stack. */
class Scanner {
  #position = 0;
  readonly #path: (string | number)[] = [];

  constructor(readonly text: string, readonly maxDepth: number) {}

  document(): void {
    this.#value();
    if (this.#position < this.text.length) this.#unexpected();
  }

  #value(): void {
    this.#take(SPACE);
    const start = this.text[this.#position];
    if (start === "{") this.#object();
    else if (start === "[") this.#array();
    else if (start === '"') this.#string();
    else if (start !== undefined && (start === "-" || (start >= "0" && start <= "9"))) {
      this.#number();
    } else if (this.#take(LITERAL) === "") this.#unexpected();
    this.#take(SPACE);
  }

  #object(): void {
    this.#enter();
    if (this.#skip("}")) return;
    do {
      this.#take(SPACE);
      if (this.text[this.#position] !== '"') this.#unexpected();
      const start = this.#position;
      this.#string();
      const key: string = JSON.parse(this.text.slice(start, this.#position));
      this.#take(SPACE);
      if (!this.#skip(":")) this.#unexpected();
      this.#path.push(key);
      this.#value();
      this.#path.pop();
    } while (this.#skip(","));
    if (!this.#skip("}")) this.#unexpected();
  }

  #array(): void {
    this.#enter();
    if (this.#skip("]")) return;
    let index = 0;
    do {
      this.#path.push(index++);
      this.#value();
      this.#path.pop();
    } while (this.#skip(","));
    if (!this.#skip("]")) this.#unexpected();
  }

  #enter(): void {
    if (this.#path.length >= this.maxDepth) {
      this.#content(`must not nest deeper than ${this.maxDepth} levels`);
    }
    this.#position++;
    this.#take(SPACE);
  }

  #number(): void {
    const start = this.#position;
    const token = this.#take(NUMBER);
    if (token === "") {
      this.#position++;
      this.#unexpected();
    }
    const fault = numberFault(token);
    if (fault !== null) this.#content(fault, start);
  }

  /** Leaves the position after the closing quote. */
  #string(): void {
    this.#position++;
    for (;;) {
      this.#take(PLAIN);
      if (this.#skip('"')) return;
      if (!this.#skip("\\")) this.#unexpected();
      if (this.#skip("u")) this.#unicodeEscape();
      else if (!'"\\/bfnrt'.includes(this.text[this.#position] ?? " ")) this.#unexpected();
      else this.#position++;
    }
  }

  #unicodeEscape(): void {
    const start = this.#position - 2;
    const unit = this.#hex4();
    if (unit === 0) this.#content("must not hold \\u0000, which the database cannot store", start);
    if (unit < 0xd800 || unit > 0xdfff) return;
    const low = unit < 0xdc00 && this.#skip("\\u") ? this.#hex4() : 0;
    if (low < 0xdc00 || low > 0xdfff) this.#content("must not hold half a surrogate pair", start);
  }

  #hex4(): number {
    const digits = this.#take(HEX4);
    if (digits === "") this.#unexpected();
    return Number.parseInt(digits, 16);
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#position;
    const match = pattern.exec(this.text)?.[0] ?? "";
    this.#position += match.length;
    return match;
  }

  #skip(expected: string): boolean {
    if (!this.text.startsWith(expected, this.#position)) return false;
    this.#position += expected.length;
    return true;
  }

  #unexpected(): never {
    const found = this.text.codePointAt(this.#position);
    const what = found === undefined ? "the end" : JSON.stringify(String.fromCodePoint(found));
    this.#stop("syntax", `unexpected ${what}`, this.#position);
  }

  #content(message: string, position = this.#position): never {
    this.#stop("content", message, position);
  }

  #stop(kind: JsonFault["kind"], message: string, position: number): never {
    throw new Stop({ kind, message, position, path: [...this.#path] });
  }
}
