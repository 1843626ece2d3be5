import { type Fault, type Files, lineOf, type Rule, within } from "./rule.ts";

const DIRECTIVE =
  /(?:\/\/|\/\*|<!--|#)\s*(deno-(?:lint|fmt|coverage)-ignore\S*|@ts-[\w-]+)([^\n]*)/g;
const REASON = /\s--\s+\S/;

/** Whatever is told not to look must be told why: `// deno-lint-ignore no-console -- why`. */
export const ignores: Rule = {
  name: "every ignore comment names what it ignores and carries a reason",
  check(files: Files): Fault[] {
    return within(files, "", ".ts").flatMap(([path, text]) =>
      [...text.matchAll(DIRECTIVE)].flatMap((match) => {
        const [, directive = "", rest = ""] = match;
        const place = `${path}:${lineOf(text, match.index)}`;
        const rules = rest.split("--")[0]?.trim() ?? "";
        if (directive.startsWith("@ts-") && directive !== "@ts-expect-error") {
          return [{ place, message: `${directive} is not to be used: say what the type is` }];
        }
        if (directive.startsWith("deno-lint-ignore") && rules === "") {
          return [{ place, message: `${directive} must name the rules that it ignores` }];
        }
        return REASON.test(rest) ? [] : [{ place, message: `${directive} needs a reason: -- why` }];
      })
    );
  },
};
