import { codeOnly } from "./code.ts";
import { type Fault, faultsOf, type Files, type Rule } from "./rule.ts";

// Put together here, so that this file does not break its own rule.
const UNFINISHED = new RegExp(`\\b(${["TO" + "DO", "FIX" + "ME", "XX" + "X"].join("|")})\\b`, "g");
const ONLY = /\bDeno\s*\.\s*test\s*\.\s*only\b|(?:^|[{,])\s*only\s*:\s*true\b/gm;
const READ = /\.(?:ts|sql|md|toml|json|sh)$|^\.ci\/run$|^\.env\.example$/;

/** Nothing unfinished, and no test that keeps all others from running. */
export const markers: Rule = {
  name: "no notes of things to do, no test that runs alone",
  check(files: Files): Fault[] {
    return [...files].filter(([path]) => READ.test(path)).flatMap(([path, text]) => [
      ...faultsOf(path, text, UNFINISHED, ([word]) => `${word} is left`),
      ...(path.endsWith(".test.ts")
        ? faultsOf(path, codeOnly(text), ONLY, () => "this test keeps all others from running")
        : []),
    ]);
  },
};
