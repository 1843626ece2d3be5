import { parse } from "smol-toml";
import { z } from "zod";
import type { Fault, Files, Rule } from "./rule.ts";

const FUNCTIONS = "supabase/functions/";
const CONFIG = "supabase/config.toml";
const EXACT = /^npm:(?:@[\w.-]+\/)?[\w.-]+@\d+\.\d+\.\d+(?:-[\w.]+)?(?:\/[\w./-]+)?$/;

const importMap = z.object({ imports: z.record(z.string(), z.string()).default({}) });
const projectConfig = z.object({
  functions: z.record(z.string(), z.object({ verify_jwt: z.boolean().optional() })).default({}),
});

/** Answers what the module graph of a function imports by name, `node:` modules aside. */
export type BareImports = (functionName: string) => Promise<ReadonlySet<string>>;

/**
 * Each function is deployed by its own `deno.json`: what is missing there works here, by the
 * root's, and fails there.
 */
export function functionConfigs(bareImports: BareImports): Rule {
  return {
    name: "every function's deno.json pins what it imports as the root does; config.toml knows it",
    async check(files: Files): Promise<Fault[]> {
      const root = importMap.parse(JSON.parse(files.get("deno.json") ?? "{}")).imports;
      const names = functionNames(files);
      const faults = [
        ...pins("deno.json", root),
        ...declarations(names, files.get(CONFIG) ?? ""),
      ];
      for (const name of names) {
        const place = `${FUNCTIONS}${name}/deno.json`;
        const text = files.get(place);
        if (text === undefined) faults.push({ place, message: "is missing" });
        else {
          const own = importMap.parse(JSON.parse(text)).imports;
          faults.push(
            ...pins(place, own),
            ...disagreements(place, own, root),
            ...completeness(place, own, await bareImports(name)),
          );
        }
      }
      return faults;
    },
  };
}

/** The functions that are deployed: folders with an `index.ts`. */
export function functionNames(files: Files): string[] {
  return [...files.keys()].flatMap((path) =>
    /^supabase\/functions\/([^_/][^/]*)\/index\.ts$/.exec(path)?.[1] ?? []
  );
}

function pins(place: string, imports: Record<string, string>): Fault[] {
  return Object.entries(imports).filter(([, target]) => !EXACT.test(target)).map((
    [name, target],
  ) => ({
    place,
    message: `'${name}' must name one exact version on npm: current value is ${target}`,
  }));
}

function disagreements(
  place: string,
  own: Record<string, string>,
  root: Record<string, string>,
): Fault[] {
  return Object.entries(own).filter(([name, target]) => root[name] !== target).map((
    [name, target],
  ) => ({
    place,
    message: `'${name}' is ${target} here and ${root[name] ?? "nothing"} in the root`,
  }));
}

function completeness(
  place: string,
  own: Record<string, string>,
  used: ReadonlySet<string>,
): Fault[] {
  return [
    ...[...used].filter((name) => own[name] === undefined).map((name) => ({
      place,
      message: `'${name}' is imported and not listed`,
    })),
    ...Object.keys(own).filter((name) => !used.has(name)).map((name) => ({
      place,
      message: `'${name}' is listed and not imported`,
    })),
  ];
}

function declarations(names: readonly string[], toml: string): Fault[] {
  const { functions } = projectConfig.parse(parse(toml));
  return [
    ...names.filter((name) => functions[name]?.verify_jwt === undefined).map((name) => ({
      place: CONFIG,
      message: `[functions.${name}] must say verify_jwt`,
    })),
    ...Object.keys(functions).filter((name) => !names.includes(name)).map((name) => ({
      place: CONFIG,
      message: `[functions.${name}] is no function`,
    })),
  ];
}
