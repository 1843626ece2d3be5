import type { Files, Rule } from "../../scripts/rules/rule.ts";

/** What a rule says of these files: `place: message`, one by one. */
export async function faultsIn(rule: Rule, files: Record<string, string>): Promise<string[]> {
  const tree: Files = new Map(Object.entries(files));
  return (await rule.check(tree)).map(({ place, message }) => `${place}: ${message}`);
}
