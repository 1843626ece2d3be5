import assert from "node:assert/strict";
import {
  checkDefinition,
  printProblems,
} from "../../../../../supabase/functions/_shared/engine/definition/check.ts";

/** A task with more keys. */
export const task = (more: object = {}) => ({ transformer_id: "t", ...more });
/** A definition of one task with more keys. */
export const withStep = (more: object) => ({ start_step: "a", steps: { a: task(more) } });
/** A definition of one task, with more keys of its own. */
export const withKeys = (more: object) => ({ ...withStep({}), ...more });

/** The checked form of a definition that must have no problem. */
export function accepted(raw: unknown) {
  const result = checkDefinition(raw);
  assert.ok(result.ok, JSON.stringify(result));
  return result.definition;
}

/** The problems of a definition, one text each. */
export function refused(raw: unknown): string[] {
  const result = checkDefinition(raw);
  assert.ok(!result.ok, "it was accepted");
  return result.problems.map((problem) => printProblems([problem]));
}
