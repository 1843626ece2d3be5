import assert from "node:assert/strict";
import type { CompiledExpression } from "../../../../supabase/functions/_shared/engine/expressions.ts";
import { compileExpression } from "../../../../supabase/functions/_shared/engine/expressions.ts";
import { EngineError } from "../../../../supabase/functions/_shared/engine/errors.ts";
import type { Problem } from "../../../../supabase/functions/_shared/engine/problem.ts";
import {
  type CompiledValue,
  compileValue,
  type EvaluationContext,
} from "../../../../supabase/functions/_shared/engine/values.ts";

/** A job document with one of everything. */
export const DOCUMENT = {
  job_input: {
    amount: 12.5,
    zero: 0,
    empty: "",
    no: false,
    nothing: null,
    user: { name: "Ann", tags: ["a", "b"], "odd key": 1, "it's": 2, "a.b": 3 },
    items: [{ id: 1, price: 5 }, { id: 2, price: 15 }, { id: 3, price: 25 }],
    none: [],
    braces: "{{job_input.amount}} and $.job_input.amount",
  },
  job: { id: "j1", workflow_id: "w", workflow_version: 1 },
  skipped: { output: null, status: "skipped", error: null, attempts: 0 },
};

export function contextOf(document: Readonly<Record<string, unknown>>): EvaluationContext {
  return { document, now: new Date("2030-01-02T03:04:05.678Z"), seed: "seed" };
}

/** Compiles a value that must have no problem. */
export function compiled(raw: unknown): CompiledValue {
  return compileValue(raw, "steps.s.input_map", (problem) => assert.fail(JSON.stringify(problem)));
}

/** Compiles and evaluates a value on a document. */
export async function evaluated(raw: unknown, document: Record<string, unknown> = DOCUMENT) {
  return await compiled(raw).evaluate(contextOf(document));
}

/** The problems that compiling a value reports. */
export function problemsOf(raw: unknown): Problem[] {
  const problems: Problem[] = [];
  compileValue(raw, "steps.s.input_map", (problem) => problems.push(problem));
  return problems;
}

/** Compiles an expression that must have no problem. */
export function expression(text: string): CompiledExpression {
  return compileExpression(text, "steps.s.when", (problem) => assert.fail(JSON.stringify(problem)));
}

/** The error that a promise or a function ends in, which must be one of the engine's. */
export async function errorOf(act: () => unknown): Promise<EngineError> {
  try {
    await act();
  } catch (error) {
    assert.ok(error instanceof EngineError, String(error));
    return error;
  }
  assert.fail("nothing was thrown");
}
