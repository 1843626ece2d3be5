import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** Root of the project. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** A Markdown file; `path` is relative to the root. */
export interface Page {
  path: string;
  text: string;
}

/** A fenced code block, with what stands behind the three backticks. */
export interface Block {
  info: string;
  code: string;
  /** Line of the opening fence, from 1. */
  line: number;
}

const SKIPPED = new Set([".git", ".millrace", "node_modules", "coverage"]);

/** All Markdown files of the project, in order of their paths. */
export async function readPages(folder = ROOT): Promise<Page[]> {
  const pages: Page[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isDirectory && !SKIPPED.has(name)) pages.push(...await readPages(path));
    else if (name.endsWith(".md")) {
      pages.push({ path: relative(ROOT, path), text: await Deno.readTextFile(path) });
    }
  }
  return pages.sort((a, b) => a.path < b.path ? -1 : 1);
}

/** Reads one file of the project. */
export async function readFile(path: string): Promise<string> {
  return await Deno.readTextFile(join(ROOT, path));
}

/** The code blocks of a page, those within lists too. */
export function blocksOf({ text }: Page): Block[] {
  return [...text.matchAll(/^( *)```([^\n]*)\n([\s\S]*?)^\1```$/gm)].map((match) => ({
    info: (match[2] ?? "").trim(),
    code: match[3] ?? "",
    line: text.slice(0, match.index).split("\n").length,
  }));
}

/** A page without its code blocks. */
export function proseOf({ text }: Page): string {
  return text.replace(/^( *)```[^\n]*\n[\s\S]*?^\1```$/gm, "");
}

/** The rows of all tables that have this first column, cell by cell, without the header. */
export function tableRows(text: string, firstColumn: string): string[][] {
  const rows: string[][] = [];
  let inside = false;
  for (const line of text.split("\n")) {
    if (!line.trim().startsWith("|")) inside = false;
    else {
      const cells = line.trim().slice(1, -1).split("|").map((cell) => cell.trim());
      if (cells[0] === firstColumn) inside = true;
      else if (inside && !/^[-:]+$/.test(cells[0] ?? "")) rows.push(cells);
    }
  }
  return rows;
}

/** What stands between backticks in a cell. */
export function codesIn(cell: string | undefined): string[] {
  return [...(cell ?? "").matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code);
}
