import { cut, json } from "./format.ts";

const MAX_ROWS = 12;
const MAX_CELL = 72;
const LONG_CELL = 40;
/** Characters of JSON beyond which an object is spread over lines. */
const MAX_INLINE = 60;
const MAX_TEXT_LINES = 10;

type Row = Record<string, unknown>;

/**
 * Lays JSON out for people: a key per line, arrays of flat objects as tables, all else as JSON.
 * Every line begins with `indent`, and is meant to fit in `width` characters.
 */
export function showValue(value: unknown, width: number, indent = ""): string[] {
  if (!isRow(value)) return [`${indent}${json(value, width - indent.length)}`];
  const keyWidth = Math.max(0, ...Object.keys(value).map((key) => key.length));
  // The database does not keep the order of keys: what fits on a line goes first.
  const entries = Object.entries(value).sort(([, a], [, b]) =>
    Number(isBlock(a)) - Number(isBlock(b))
  );
  return entries.flatMap(([key, entry]) => {
    if (isTable(entry)) return [`${indent}${key}`, ...showTable(entry, `${indent}  `)];
    if (isBlock(entry)) return [`${indent}${key}`, ...showValue(entry, width, `${indent}  `)];
    const head = `${indent}${key.padEnd(keyWidth)}  `;
    return showLeaf(entry, width - head.length)
      .map((line, index) => (index === 0 ? head : " ".repeat(head.length)) + line);
  });
}

function showTable(rows: Row[], indent: string): string[] {
  const shown = rows.slice(0, MAX_ROWS);
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))]
    .map((key) => readColumn(key, shown))
    .sort((a, b) => a.rank - b.rank);
  const lines = [-1, ...shown.keys()].map((index) => {
    const cells = columns.map(({ key, cells, width, numeric }) => {
      const cell = cells[index] ?? key;
      return numeric ? cell.padStart(width) : cell.padEnd(width);
    });
    return indent + cells.join("  ").trimEnd();
  });
  const missing = rows.length - shown.length;
  return missing > 0 ? [...lines, `${indent}… and ${missing} more`] : lines;
}

/** A column as it is shown; words come first, then numbers, and long texts last. */
function readColumn(key: string, rows: Row[]) {
  const cells = rows.map((row) => showCell(row[key]));
  const numeric = rows.every((row) => isNumeric(row[key]));
  const width = Math.max(key.length, ...cells.map((cell) => cell.length));
  const rank = width > LONG_CELL ? 2 : numeric ? 1 : 0;
  return { key, cells, numeric, width, rank };
}

/** Text over several lines where it is long; all else on one. */
function showLeaf(value: unknown, width: number): string[] {
  if (Array.isArray(value) && value.every((each) => typeof each === "string")) {
    return showLeaf(value.length === 0 ? "none" : value.join(", "), width);
  }
  if (typeof value !== "string") return [json(value, width)];
  const lines = value.split("\n").flatMap((paragraph) => wrap(paragraph, width));
  const shown = lines.slice(0, MAX_TEXT_LINES).map((line) => cut(line, width));
  return lines.length > shown.length ? [...shown.slice(0, -1), "…"] : shown;
}

function wrap(text: string, width: number): string[] {
  const lines = [""];
  for (const word of text.split(/\s+/)) {
    const line = lines.at(-1) ?? "";
    if (line === "") lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= width) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}

function showCell(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? cut(value, MAX_CELL) : json(value, MAX_CELL);
}

/** A number, a number as text (`"6,415.59"`), or nothing. */
function isNumeric(value: unknown): boolean {
  return value === undefined || value === null || typeof value === "number" ||
    typeof value === "string" && /^-?[\d,]+(\.\d+)?$/.test(value);
}

/** Whether a value is shown below its key, rather than beside it. */
function isBlock(value: unknown): boolean {
  return isTable(value) || isRow(value) && json(value).length > MAX_INLINE;
}

function isTable(value: unknown): value is Row[] {
  return Array.isArray(value) && value.length > 0 &&
    value.every((row) =>
      isRow(row) && Object.values(row).every((cell) => typeof cell !== "object" || cell === null)
    );
}

function isRow(value: unknown): value is Row {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
