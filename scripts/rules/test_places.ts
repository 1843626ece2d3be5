import { codeOnly, withoutComments } from "./code.ts";
import { type Fault, faultsOf, type Files, type Rule, within } from "./rule.ts";

const BREAKS =
  /\bcontrol\s*\(\s*\w+\s*,\s*"(restartPostgres|killFunction|retireFunction|addFault)"/g;

/** Tests share a stack, but for those in a folder of their own and those that boot one. */
export const testPlaces: Rule = {
  name: "tests that break the stack are in tests/faults; every test file has a test",
  check(files: Files): Fault[] {
    return within(files, "tests/", ".test.ts").flatMap(([path, text]) => [
      ...(path.startsWith("tests/faults/") || /\bownStack\s*\(/.test(text) ? [] : faultsOf(
        path,
        withoutComments(text),
        BREAKS,
        ([, method]) => `${method} breaks the stack that tests share: belongs to tests/faults`,
      )),
      ...(/\btest\s*\(/.test(codeOnly(text)) ? [] : [{ place: path, message: "has no test" }]),
    ]);
  },
};
