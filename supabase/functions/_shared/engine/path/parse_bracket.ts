import { compileFilter } from "./filter.ts";
import { scanFilter } from "./scan_filter.ts";
import { PathSyntaxError, type Selector } from "./path.ts";

const MEMBER = /\s*(?:(-?\d+)|("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'))\s*/sy;
const SLICE = /\s*(-?\d+)?\s*:\s*(-?\d+)?\s*(?::\s*(-?\d+)?\s*)?\]/y;
const ANY = /\s*\*\s*\]/y;
const FILTER = /\s*\?/y;

/** Parses `[…]` that begins at a position; `end` is the one after the closing bracket. */
export function parseBracket(path: string, open: number): { selector: Selector; end: number } {
  const at = open + 1;
  if (match(ANY, path, at)) return { selector: { kind: "any" }, end: ANY.lastIndex };
  const slice = match(SLICE, path, at);
  if (slice) {
    const [start, end, step] = [slice[1], slice[2], slice[3]].map(optionalInteger);
    return { selector: { kind: "slice", start, end, step: step ?? 1 }, end: SLICE.lastIndex };
  }
  if (match(FILTER, path, at)) {
    const { source, end } = scanFilter(path, FILTER.lastIndex);
    return { selector: { kind: "filter", filter: compileFilter(source) }, end };
  }
  return parseMembers(path, at);
}

function parseMembers(path: string, from: number): { selector: Selector; end: number } {
  const keys: (string | number)[] = [];
  let at = from;
  for (;;) {
    const member = match(MEMBER, path, at);
    if (!member) throw badMember(path, at);
    keys.push(member[1] === undefined ? unquote(member[2] ?? "") : index(member[1]));
    at = MEMBER.lastIndex;
    if (path[at] === "]") break;
    if (path[at] !== ",") throw new PathSyntaxError(`expected ']' at position ${at}`);
    at += 1;
  }
  const [only] = keys;
  const selector: Selector = keys.length === 1 && only !== undefined
    ? { kind: "key", key: only }
    : { kind: "union", keys };
  return { selector, end: at + 1 };
}

function badMember(path: string, at: number): PathSyntaxError {
  if (path[at] === "(") {
    return new PathSyntaxError(
      'a script [(…)] is not supported, use a slice such as [-1:] or { "$expr": … }',
    );
  }
  return new PathSyntaxError(
    `expected an index, a quoted name, '*', a slice or a filter at position ${at}`,
  );
}

function index(digits: string): number {
  const value = Number(digits);
  if (digits.startsWith("-")) {
    throw new PathSyntaxError(`[${digits}] is negative, use a slice such as [-1:]`);
  }
  if (String(value) !== digits) throw new PathSyntaxError(`[${digits}] is not an index`);
  return value;
}

const ESCAPES: Readonly<Record<string, string>> = {
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

function unquote(quoted: string): string {
  return quoted.slice(1, -1).replace(
    /\\(?:u([0-9a-fA-F]{4})|(.))/gs,
    (_, hex: string | undefined, char: string) =>
      hex === undefined ? ESCAPES[char] ?? char : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

function optionalInteger(digits: string | undefined): number | undefined {
  return digits === undefined ? undefined : Number(digits);
}

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}
