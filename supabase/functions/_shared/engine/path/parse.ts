import { parseBracket } from "./parse_bracket.ts";
import { type Path, PathSyntaxError, type Segment, type Selector } from "./path.ts";

/** Characters that may not stand in a name after a dot; such a name is quoted: `$['a b']`. */
const DOT_NAME = /[^\s.[\]()'"*?,:;~^@{}]+/y;

/** Longer than any path that a person writes, and short enough to be parsed in no time. */
export const MAX_PATH_LENGTH = 10_000;

/**
 * Parses a whole text as a JSONPath.
 * @throws {PathSyntaxError} that says what was expected, and where
 */
export function parsePath(text: string): Path {
  if (text.length > MAX_PATH_LENGTH) {
    throw new PathSyntaxError(`a path has at most ${MAX_PATH_LENGTH} characters`);
  }
  const optional = text.endsWith("?");
  const path = optional ? text.slice(0, -1) : text;
  if (!path.startsWith("$")) throw new PathSyntaxError("a path begins with '$'");
  const segments: Segment[] = [];
  let at = 1;
  while (at < path.length) {
    const { segment, end } = parseSegment(path, at);
    segments.push(segment);
    at = end;
  }
  return { text: path, segments, optional, keys: definiteKeys(segments) };
}

function parseSegment(path: string, at: number): { segment: Segment; end: number } {
  const deep = path.startsWith("..", at);
  const next = deep ? at + 2 : at;
  if (path[next] === "[") {
    const { selector, end } = parseBracket(path, next);
    return { segment: { deep, selector }, end };
  }
  if (!deep && path[at] !== ".") throw unexpected(path, at, "'.' or '['");
  const { selector, end } = parseDotName(path, deep ? next : at + 1);
  return { segment: { deep, selector }, end };
}

function parseDotName(path: string, at: number): { selector: Selector; end: number } {
  if (path[at] === "*") return { selector: { kind: "any" }, end: at + 1 };
  DOT_NAME.lastIndex = at;
  const name = DOT_NAME.exec(path)?.[0];
  if (name === undefined) throw unexpected(path, at, "a name, '*' or '['");
  return { selector: { kind: "key", key: name }, end: at + name.length };
}

function definiteKeys(segments: readonly Segment[]): (string | number)[] | undefined {
  const keys: (string | number)[] = [];
  for (const { deep, selector } of segments) {
    if (deep || selector.kind !== "key") return undefined;
    keys.push(selector.key);
  }
  return keys;
}

function unexpected(path: string, at: number, expected: string): PathSyntaxError {
  const char = path[at];
  if (char === "^" || char === "~") {
    return new PathSyntaxError(
      `'${char}' is not supported, use { "$expr": … } to reach parents and keys`,
    );
  }
  const found = char === undefined ? "the end" : `'${char}'`;
  return new PathSyntaxError(`expected ${expected} at position ${at}, found ${found}`);
}
