import { posix } from "node:path";
import { codeOnly, importsOf, withoutComments } from "./code.ts";
import { type Fault, faultsOf, type Files, type Rule, within } from "./rule.ts";

const FUNCTIONS = "supabase/functions/";
const SHARED = `${FUNCTIONS}_shared/`;
const STORE = `${SHARED}store/`;
const MAX_ENTRY_LINES = 30;

const DATABASE_CALL = /\.\s*(?:rpc|from|schema)\s*(?:<[^>]*>)?\(/g;
/** Methods of the language that share a name with supabase-js's. */
const NOT_A_TABLE = /\b(?:Array|Buffer|Object|\w*Array|Readable|Iterator)\s*$/;

/** Who may know whom: see docs of the pieces in the README. */
export const boundaries: Rule = {
  name: "functions stay apart, and only the store talks to Postgres",
  check(files: Files): Fault[] {
    return [...imports(files), ...entries(files), ...databaseCalls(files)];
  },
};

function imports(files: Files): Fault[] {
  return within(files, FUNCTIONS).flatMap(([path, text]) =>
    importsOf(text).flatMap((name): Fault[] => {
      const fault = (message: string): Fault[] => [{ place: path, message }];
      if (/^(?:npm|jsr|https?|file|data):/.test(name)) {
        return fault(`imports ${name}: pin it in deno.json and import it by its name`);
      }
      if (name.includes("supabase-js") && !path.startsWith(STORE) && !onlyType(text, name)) {
        return fault(`imports ${name}: only _shared/store may`);
      }
      if (!name.startsWith(".")) return [];
      const target = posix.join(posix.dirname(path), name);
      if (!target.startsWith(FUNCTIONS)) return fault(`imports ${target}, which is not deployed`);
      const [from, to] = [functionOf(path), functionOf(target)];
      if (to === from || to === "_shared") return [];
      return fault(from === "_shared" ? `imports the function ${to}` : `imports from ${to}`);
    })
  );
}

function entries(files: Files): Fault[] {
  return within(files, FUNCTIONS, "/index.ts").flatMap(([path, text]): Fault[] => {
    if (path.startsWith(SHARED) || path.split("/").length !== 4) return [];
    const lines = text.trimEnd().split("\n").length;
    return [
      ...(lines > MAX_ENTRY_LINES
        ? [{ place: path, message: `has ${lines} lines: an entry has at most ${MAX_ENTRY_LINES}` }]
        : []),
      ...(/^export default \{\s*fetch\b/m.test(text)
        ? []
        : [{ place: path, message: "must `export default { fetch }`" }]),
    ];
  });
}

function databaseCalls(files: Files): Fault[] {
  return within(files, FUNCTIONS).flatMap(([path, text]) => {
    if (path.startsWith(STORE)) return [];
    const code = codeOnly(text);
    return faultsOf(
      path,
      code.replaceAll(
        DATABASE_CALL,
        (call, at: number) => NOT_A_TABLE.test(code.slice(0, at)) ? " ".repeat(call.length) : call,
      ),
      DATABASE_CALL,
      ([call]) => `calls ${call.replaceAll(/\s/g, "")}): only _shared/store talks to Postgres`,
    );
  });
}

function onlyType(text: string, name: string): boolean {
  const statements = withoutComments(text).matchAll(/\bimport\s+(type\s+)?[^"]*?from\s*"([^"]+)"/g);
  return [...statements].every(([, type, from]) => from !== name || type !== undefined);
}

function functionOf(path: string): string {
  return path.slice(FUNCTIONS.length).split("/")[0] ?? "";
}
