import type { Problem } from "../engine/problem.ts";

/** Every fault of a definition; none: it can be run. */
export type FindProblems = (definition: unknown) => Promise<readonly Problem[]>;

/**
 * The engine's full check. It is loaded at its first use: what else its function does needs none of
 * it, and starts sooner without.
 */
export const findProblems: FindProblems = async (definition) => {
  const { checkDefinition } = await import("../engine/definition/check.ts");
  const result = checkDefinition(definition);
  return result.ok ? [] : result.problems;
};
