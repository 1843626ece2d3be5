import assert from "node:assert/strict";
import { dirname, join, normalize } from "node:path";
import { type Page, proseOf, readPages, ROOT } from "./pages.ts";

const LINK = /\[[^\]]*\]\(([^)\s]+)\)/g;

/** Ids that a reader's browser can jump to, as GitHub makes them of headings. */
function anchorsOf(page: Page): Set<string> {
  return new Set(
    [...proseOf(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
      heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, "").trim().replace(/\s/g, "-")
    ),
  );
}

async function faultOf(page: Page, target: string, pages: Map<string, Page>) {
  const [path = "", anchor] = target.split("#");
  const to = path === "" ? page.path : normalize(join(dirname(page.path), path));
  try {
    await Deno.stat(join(ROOT, to));
  } catch {
    return `${page.path}: ${target} leads to no file`;
  }
  const there = pages.get(to);
  if (anchor === undefined || there === undefined) return undefined;
  return anchorsOf(there).has(anchor) ? undefined : `${page.path}: ${target} leads to no heading`;
}

Deno.test("links within the documentation lead somewhere", async () => {
  const pages = await readPages();
  const byPath = new Map(pages.map((page) => [page.path, page]));
  const faults: string[] = [];
  for (const page of pages) {
    for (const [, target = ""] of proseOf(page).matchAll(LINK)) {
      if (/^[a-z]+:/.test(target)) continue;
      const fault = await faultOf(page, target, byPath);
      if (fault !== undefined) faults.push(fault);
    }
  }
  assert.deepEqual(faults, []);
});

Deno.test("README links every page of docs/", async () => {
  const pages = await readPages();
  const readme = pages.find(({ path }) => path === "README.md")?.text ?? "";
  const missing = pages.filter(({ path }) => /^docs\/[^/]+\.md$/.test(path))
    .filter(({ path }) => !readme.includes(`(${path})`)).map(({ path }) => path);
  assert.deepEqual(missing, []);
});
