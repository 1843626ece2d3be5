import assert from "node:assert/strict";

const SHARED = new URL("../../supabase/functions/_shared/", import.meta.url);
const ENGINE = new URL("engine/", SHARED).href;
const CONTRACTS = new URL("contracts/", SHARED).href;

/** Libraries that only compute. */
const PURE_LIBRARIES: ReadonlySet<string> = new Set([
  "@cfworker/json-schema",
  "jsonata",
  "jsonpath-plus",
  "re2js",
  "zod",
]);

/** What makes a result depend on more than arguments, or does more than give a result. */
const IMPURE: readonly (readonly [name: string, pattern: RegExp])[] = [
  ["Deno", /\bDeno\b/],
  ["process", /\bprocess\s*\./],
  ["globalThis", /\bglobalThis\b/],
  ["Date.now()", /\bDate\s*\.\s*now\b/],
  ["Date()", /(?<!\bnew\s+)\bDate\s*\(/],
  ["new Date()", /\bnew\s+Date\s*(?:\(\s*\)|(?!\s*\())/],
  ["performance", /\bperformance\b/],
  ["Temporal.Now", /\bTemporal\s*\.\s*Now\b/],
  ["Math.random()", /\bMath\s*\.\s*random\b/],
  ["crypto", /\bcrypto\b/],
  ["fetch()", /\bfetch\s*\(/],
  ["WebSocket", /\bWebSocket\b/],
  ["timers", /\b(?:setTimeout|setInterval|setImmediate|queueMicrotask)\b/],
  ["console", /\bconsole\b/],
  ["eval()", /\beval\s*\(/],
  ["Function()", /\bnew\s+Function\b/],
  ["import()", /\bimport\s*\(/],
];

const COMMENT_OR_STRING = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g;
const IMPORT = /\b(?:from|import)\s+"([^"]+)"/g;

/** The code of a file without its comments, and without its strings where `strings` is false. */
function code(text: string, { strings }: { strings: boolean }): string {
  return text.replace(
    COMMENT_OR_STRING,
    (match) => strings && !match.startsWith("/") ? match : " ",
  );
}

function imports(text: string): string[] {
  return [...code(text, { strings: true }).matchAll(IMPORT)].map((match) => match[1] ?? "");
}

function impurities(text: string): string[] {
  const bare = code(text, { strings: false });
  return IMPURE.filter(([, pattern]) => pattern.test(bare)).map(([name]) => name);
}

async function sourceFiles(folder: URL): Promise<URL[]> {
  const files: URL[] = [];
  for await (const entry of Deno.readDir(folder)) {
    if (entry.isDirectory) files.push(...await sourceFiles(new URL(`${entry.name}/`, folder)));
    else if (entry.name.endsWith(".ts")) files.push(new URL(entry.name, folder));
  }
  return files;
}

/** The engine's files, and those of the contracts that they reach. */
async function reachedFiles(): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  const open = (await sourceFiles(new URL(ENGINE))).map((file) => file.href);
  for (let href = open.pop(); href !== undefined; href = open.pop()) {
    if (texts.has(href)) continue;
    const text = await Deno.readTextFile(new URL(href));
    texts.set(href, text);
    const relative = imports(text).filter((name) => name.startsWith("."));
    open.push(...relative.map((name) => new URL(name, href).href).filter(isInside));
  }
  return texts;
}

function isInside(href: string): boolean {
  return href.startsWith(ENGINE) || href.startsWith(CONTRACTS);
}

function nameOf(href: string): string {
  return href.slice(SHARED.href.length);
}

Deno.test("_shared/engine imports nothing but itself, the contracts and pure libraries", async () => {
  const faults: string[] = [];
  for (const [href, text] of await reachedFiles()) {
    for (const name of imports(text)) {
      const allowed = name.startsWith(".")
        ? isInside(new URL(name, href).href)
        : PURE_LIBRARIES.has(name);
      if (!allowed) faults.push(`${nameOf(href)} imports ${name}`);
    }
  }
  assert.deepEqual(faults, []);
});

Deno.test("_shared/engine has no clock, no chance and no I/O", async () => {
  const faults: string[] = [];
  for (const [href, text] of await reachedFiles()) {
    faults.push(...impurities(text).map((name) => `${nameOf(href)} uses ${name}`));
  }
  assert.deepEqual(faults, []);
});

Deno.test("_shared/contracts do not import the engine", async () => {
  const faults: string[] = [];
  for (const file of await sourceFiles(new URL(CONTRACTS))) {
    const names = imports(await Deno.readTextFile(file));
    const outside = names.filter((name) =>
      name.startsWith(".") && !new URL(name, file).href.startsWith(CONTRACTS)
    );
    faults.push(...outside.map((name) => `${nameOf(file.href)} imports ${name}`));
  }
  assert.deepEqual(faults, []);
});

const FINDS: [source: string, names: string[]][] = [
  ["const a = Date.now();", ["Date.now()"]],
  ["const a = new Date();", ["new Date()"]],
  ["const a = new Date;", ["new Date()"]],
  ["const a = Date();", ["Date()"]],
  ["const a = new Date(now);", []],
  ["const a = Math.random() + performance.now();", ["performance", "Math.random()"]],
  ["await fetch(url); setTimeout(f, 1);", ["fetch()", "timers"]],
  ["crypto.randomUUID(); Deno.env.get(x);", ["Deno", "crypto"]],
  ["// Deno.env\n/* fetch(x) */ const a = 'crypto' + \"Deno\";", []],
];

for (const [source, names] of FINDS) {
  Deno.test(`impurities() of ${source}`, () => assert.deepEqual(impurities(source), names));
}
