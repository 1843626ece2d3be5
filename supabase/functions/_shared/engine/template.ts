import { parsePath } from "./path/parse.ts";
import { type Path, PathSyntaxError } from "./path/path.ts";

/** A piece of a template: text as it stands, or a path whose value takes its place. */
export type TemplatePart = string | Path;

const OPEN = "{{";
const CLOSE = "}}";

/** What stands between the braces: anything up to `}}`, which may stand inside quotes. */
const INSIDE = /((?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|(?!\}\})[^"'])*)\}\}/sy;

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
    INSIDE.lastIndex = open + OPEN.length;
    const inside = INSIDE.exec(text)?.[1];
    if (inside === undefined) {
      throw new PathSyntaxError(`'${OPEN}' at position ${open} is never closed with '${CLOSE}'`);
    }
    parts.push(parseInside(inside.trim()));
    at = INSIDE.lastIndex;
  }
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

/** A value inside a longer text: strings as they are, anything else as JSON. */
export function printValue(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
