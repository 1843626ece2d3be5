import type { Problem } from "../engine/problem.ts";

/**
 * Every fault of a definition under the engine's full check; none: it can be run. The check is
 * loaded at its first use: what else its function does needs none of it, and starts sooner without.
 */
export async function findProblems(definition: unknown): Promise<readonly Problem[]> {
  const { checkDefinition } = await import("../engine/definition/check.ts");
  const result = checkDefinition(definition);
  return result.ok ? [] : result.problems;
}
