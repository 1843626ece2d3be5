import { PathSyntaxError } from "./path.ts";

/** What a filter may say with `@` and `$`, and the identifier that stands for it in its source. */
const REFERENCES: Readonly<Record<string, string>> = {
  "@": "$v",
  "@root": "$root",
  "$": "$root",
  "@parent": "$parent",
  "@property": "$property",
};

const STRING = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/sy;
const REGEX = /\/(?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\[])+\/[a-z]*/y;
const REFERENCE = /@[A-Za-z]*|\$(?![A-Za-z0-9_$])/y;
const NAME = /[A-Za-z0-9_$]+/y;

/**
 * Finds the end of a filter that begins after `[?`, and rewrites `@` and `$` in it (outside of
 * strings and regular expressions) to identifiers. `end` is the position after the bracket.
 */
export function scanFilter(path: string, from: number): { source: string; end: number } {
  let source = "";
  let depth = 0;
  let at = from;
  while (at < path.length) {
    const char = path[at] ?? "";
    if (char === "]" && depth === 0) return { source, end: at + 1 };
    if (char === "(" || char === "[") depth += 1;
    if (char === ")" || char === "]") depth -= 1;
    const token = matchAt(STRING, path, at) ??
      (char === "/" && isOperandExpected(source) ? matchAt(REGEX, path, at) : undefined) ??
      matchAt(REFERENCE, path, at) ?? matchAt(NAME, path, at) ?? char;
    source += /^[@$]/.test(token) ? reference(token) : token;
    at += token.length;
  }
  throw new PathSyntaxError("a filter is never closed with ']'");
}

function reference(token: string): string {
  if (Object.hasOwn(REFERENCES, token)) return REFERENCES[token] ?? token;
  throw new PathSyntaxError(`a filter cannot use ${token}, only @, @root, @parent, @property`);
}

/** Whether a `/` here would begin a regular expression, not divide. */
function isOperandExpected(before: string): boolean {
  return /(^|[(,=:[!&|?;+\-*%<>~^])\s*$/.test(before);
}

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}
