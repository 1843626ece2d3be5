import { codeOnly, withoutComments } from "./code.ts";
import type { Fault, Files, Rule } from "./rule.ts";
import { within } from "./rule.ts";

const EXAMPLE = ".env.example";
/** Whose variables a user may set. */
const READERS = ["supabase/functions/", "local/", "scripts/", "bench/", "demo/"];
/** What the platform sets; nobody can set secrets of this name. */
const PROVIDED = /^SUPABASE_/;
/** Set by terminals and systems, or from one test process to the next: not for a user's file. */
const NOT_A_SETTING = /^(?:CI|HOME|INIT_CWD|NO_COLOR|PATH|TERM|USER|MILLRACE_(?:TEST|TALLY)_\w+)$/;

const NAME = /[A-Z][A-Z0-9_]*/;
const READS = [
  // Deno.env.get("X"), env.get("X"), read("X"), env("X"), readKey(read, "X", "Y")
  new RegExp(
    `\\b(?:env\\s*\\.\\s*(?:get|has)|read|env|readSecret)\\s*\\(\\s*"(${NAME.source})"`,
    "g",
  ),
];
const KEY_READS = /\breadKey\s*\(\s*read\s*,([^)]*)\)/g;
/** The default of a setting that names a variable. */
const NAMED_BY_DEFAULT = new RegExp(
  `\\b\\w+_env_var\\b[\\s\\S]{0,300}?\\.default\\(\\s*"(${NAME.source})"`,
  "g",
);
const SCHEMA_KEY = new RegExp(`^\\s*(${NAME.source}):\\s`, "gm");

/** The variables that code reads, each with the first file that does. */
export function variablesRead(files: Files): Map<string, string> {
  const found = new Map<string, string>();
  for (const [path, source] of READERS.flatMap((folder) => within(files, folder))) {
    const text = withoutComments(source);
    const names = [
      ...READS.flatMap((pattern) => [...text.matchAll(pattern)].map(([, name]) => name)),
      ...[...text.matchAll(KEY_READS)].flatMap(([, list = ""]) => list.match(/[A-Z][A-Z0-9_]+/g)),
      ...[...text.matchAll(NAMED_BY_DEFAULT)].map(([, name]) => name),
      ...schemaKeys(text),
    ];
    for (const name of names) {
      if (typeof name === "string" && !found.has(name)) found.set(name, path);
    }
  }
  return found;
}

/** `.env.example` is the list of what can be set. */
export const environment: Rule = {
  name: `${EXAMPLE} lists every variable that code reads, and no other`,
  check(files: Files): Fault[] {
    const read = variablesRead(files);
    const listed = new Set(
      [...(files.get(EXAMPLE) ?? "").matchAll(/^\s*#?\s*([A-Z][A-Z0-9_]*)=/gm)].flatMap(
        ([, name]) => name ?? [],
      ),
    );
    if (!files.has(EXAMPLE)) return [{ place: EXAMPLE, message: "is missing" }];
    const needed = [...read].filter(([name]) => !PROVIDED.test(name) && !NOT_A_SETTING.test(name));
    return [
      ...needed.filter(([name]) => !listed.has(name)).map(([name, path]) => ({
        place: EXAMPLE,
        message: `does not list ${name}, which ${path} reads`,
      })),
      ...[...listed].filter((name) => !read.has(name)).map((name) => ({
        place: EXAMPLE,
        message: `lists ${name}, which nothing reads`,
      })),
    ];
  },
};

/** Names of the variables in the zod schemas that `parseVariables` is given. */
function schemaKeys(text: string): string[] {
  if (!/\bparseVariables\s*\(/.test(text)) return [];
  return [...codeOnly(text).matchAll(/\bz\s*\.\s*object\(\{([\s\S]*?)\n\}\)/g)].flatMap(
    ([, body = ""]) => [...body.matchAll(SCHEMA_KEY)].flatMap(([, name]) => name ?? []),
  );
}
