import { parsePath } from "./path/parse.ts";
import { type Path, PathSyntaxError } from "./path/path.ts";

/** A piece of a template: text as it stands, or a path whose value takes its place. */
export type TemplatePart = string | Path;

const OPEN = "{{";
const CLOSE = "}}";

/** Whether a string is a template. */
export function isTemplate(text: string): boolean {
  return text.includes(OPEN);
}

/**
 * Parses `Hi {{job_input.user.name}}` into its parts.
 * @throws {PathSyntaxError} where braces are not closed, or do not hold a path
 */
export function parseTemplate(text: string): TemplatePart[] {
  const parts: TemplatePart[] = [];
  let at = 0;
  for (;;) {
    const open = text.indexOf(OPEN, at);
    const plain = open === -1 ? text.slice(at) : text.slice(at, open);
    if (plain !== "") parts.push(plain);
    if (open === -1) return parts;
    const start = open + OPEN.length;
    const close = findClose(text, start);
    parts.push(parseInside(text.slice(start, close).trim()));
    at = close + CLOSE.length;
  }
}

/** Where a template ends that begins at a position; braces within quotes do not count. */
function findClose(text: string, start: number): number {
  let quote = "";
  for (let at = start; at < text.length; at++) {
    const char = text.charAt(at);
    if (quote === "") {
      if (text.startsWith(CLOSE, at)) return at;
      if (char === '"' || char === "'") quote = char;
    } else if (char === "\\") at += 1;
    else if (char === quote) quote = "";
  }
  throw new PathSyntaxError(
    `'${OPEN}' at position ${start - OPEN.length} is never closed with '${CLOSE}'`,
  );
}

function parseInside(text: string): Path {
  if (text === "") throw new PathSyntaxError(`'${OPEN}${CLOSE}' holds no path`);
  const path = text.startsWith("$") ? text : `$${text.startsWith("[") ? "" : "."}${text}`;
  try {
    return parsePath(path);
  } catch (error) {
    if (!(error instanceof PathSyntaxError)) throw error;
    throw new PathSyntaxError(`'${OPEN}${text}${CLOSE}' is not a path: ${error.message}`);
  }
}
