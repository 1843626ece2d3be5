import assert from "node:assert/strict";
import type { StepType } from "../../../../../supabase/functions/_shared/contracts/definition.ts";
import {
  checkDefinition,
  type CheckedDefinition,
  type CheckedStepOf,
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

/** A definition of one step of any type. */
export const only = (step: object) => ({ start_step: "a", steps: { a: step } });

/** A step of a checked definition, which must be of a type. */
export function stepOf<T extends StepType>(
  { steps }: CheckedDefinition,
  id: string,
  type: T,
): CheckedStepOf<T> {
  const checked = steps.get(id);
  assert.equal(checked?.step.type, type);
  return checked as CheckedStepOf<T>;
}

/** A step of a checked definition, which must be a task. */
export const taskOf = (definition: CheckedDefinition, id: string) => stepOf(definition, id, "task");

/** The checked form of a step that must have no problem, alone in its definition. */
export function acceptedStep<T extends StepType>(type: T, more: object): CheckedStepOf<T> {
  return stepOf(accepted(only({ type, ...more })), "a", type);
}

/** A step that is refused, by what is wrong with it, and its problems one text each. */
export type Refusal = readonly [name: string, more: object, problems: string[]];

/** Registers a test for each: a step of the type with these keys, alone in its definition. */
export function testRefusals(type: StepType, refusals: readonly Refusal[]): void {
  for (const [name, more, problems] of refusals) {
    Deno.test(`checkDefinition() refuses, of ${type}, ${name}`, () => {
      assert.deepEqual(refused(only({ type, ...more })), problems);
    });
  }
}

/** Refusals of what all types have in common; the keys are those that the type needs. */
export function commonRefusals(keys: object, { handlesErrors = true } = {}): Refusal[] {
  return [
    ["an unknown key", { ...keys, nope: 1 }, ["steps.a.nope is not a known key"]],
    ["a when that cannot be parsed", { ...keys, when: "(" }, [
      'steps.a.when must be a JSONata expression: Expected ")" before end of expression at position 1',
    ]],
    ["a next_step that does not exist", { ...keys, next_step: "b" }, [
      'steps.a.next_step must be a step of this definition: current value is "b"',
    ]],
    ["an on_error that leads nowhere", { ...keys, on_error: "b" }, [
      handlesErrors
        ? 'steps.a.on_error must be a step of this definition: current value is "b"'
        : "steps.a.on_error is not a known key",
    ]],
  ];
}
