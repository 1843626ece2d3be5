/** One statement of a SQL file. */
export interface Statement {
  /** Its text, without the semicolon that ends it. */
  text: string;
  /** Where it begins in the file, counted from 0. */
  offset: number;
}

// What may hold a semicolon that ends no statement, tried at each position in this order.
const QUOTED = [
  /--[^\n]*/y,
  /'(?:[^']|'')*'/y,
  /"(?:[^"]|"")*"/y,
  /(\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$)[\s\S]*?\1/y,
];
const ESCAPE_STRING = /[eE]'(?:[^'\\]|\\[\s\S]|'')*'/y;
const WORD = /[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/y;

/**
 * Splits a SQL file into its statements. Knows quotes, dollar quotes, comments (nested too) and
 * bodies of SQL-standard functions (`begin atomic … end`).
 */
export function splitStatements(sql: string): Statement[] {
  const statements: Statement[] = [];
  let start = 0;
  let at = 0;
  let previousWord = "";
  let depth = 0; // of `begin atomic` and the `case` inside of it
  const finish = (end: number) => {
    const text = sql.slice(start, end);
    const lead = leadingBlank(text);
    if (lead < text.length) {
      statements.push({ text: text.slice(lead).trimEnd(), offset: start + lead });
    }
    start = end + 1;
    depth = 0;
  };
  while (at < sql.length) {
    const word = match(ESCAPE_STRING, sql, at) === undefined ? match(WORD, sql, at) : undefined;
    if (word !== undefined) {
      const lower = word.toLowerCase();
      if (lower === "atomic" && previousWord === "begin") depth = 1;
      else if (depth > 0 && lower === "case") depth++;
      else if (depth > 0 && lower === "end") depth--;
      previousWord = lower;
      at += word.length;
    } else {
      const skipped = match(ESCAPE_STRING, sql, at) ?? blockComment(sql, at) ??
        QUOTED.map((pattern) => match(pattern, sql, at)).find((text) => text !== undefined);
      if (sql[at] === ";" && depth === 0) finish(at);
      at += skipped?.length ?? 1;
    }
  }
  finish(sql.length);
  return statements;
}

/** Length of the white space and comments that a text begins with. */
function leadingBlank(text: string): number {
  let at = 0;
  for (;;) {
    const blank = match(/\s+/y, text, at) ?? match(/--[^\n]*/y, text, at) ?? blockComment(text, at);
    if (blank === undefined) return at;
    at += blank.length;
  }
}

function match(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

function blockComment(text: string, at: number): string | undefined {
  if (!text.startsWith("/*", at)) return undefined;
  let depth = 0;
  for (let i = at; i < text.length; i++) {
    if (text.startsWith("/*", i)) [depth, i] = [depth + 1, i + 1];
    else if (text.startsWith("*/", i)) {
      [depth, i] = [depth - 1, i + 1];
      if (depth === 0) return text.slice(at, i + 1);
    }
  }
  return text.slice(at);
}
