import { RE2JS } from "re2js";
import type { Validate } from "../../contracts/definition.ts";
import { type CompiledExpression, compileExpression } from "../expressions.ts";
import { compileSchema } from "../input_schema.ts";
import { type Place, within } from "../place.ts";
import { type Problem, type Report, show } from "../problem.ts";
import type { CompiledValue } from "../values.ts";
import { type CheckedApproval, compileApproval } from "./approval.ts";
import { compileKey } from "./compile_key.ts";
import { type Target, targetAt } from "./steps/step_check.ts";
import { textRule } from "./value_rules.ts";

/** A rule of one type, as it is written. */
type RuleOf<T extends Validate["type"]> = Extract<Validate, { type: T }>;

/** The `validate` of a task, ready for any job. */
export type CheckedValidate =
  | {
    readonly type: "regex";
    readonly rule: RuleOf<"regex">;
    /** Whether the pattern is found in a text. */
    test(text: string): boolean;
    /** What is looked at; null: the output itself. */
    readonly value: CompiledValue | null;
  }
  | {
    readonly type: "json_schema";
    readonly rule: RuleOf<"json_schema">;
    /** Where an output does not fit the schema. */
    problems(output: unknown): Problem[];
  }
  | {
    readonly type: "expression";
    readonly rule: RuleOf<"expression">;
    readonly expression: CompiledExpression;
  }
  | {
    readonly type: "function";
    readonly rule: RuleOf<"function">;
    /** Null: the output itself. */
    readonly input: CompiledValue | null;
  }
  | {
    readonly type: "manual";
    readonly rule: RuleOf<"manual">;
    readonly ask: CheckedApproval;
  };

/** Compiles the `validate` of a task; what cannot be parsed is reported. */
export function compileValidate(rule: Validate, place: Place, report: Report): CheckedValidate {
  switch (rule.type) {
    case "regex":
      return {
        type: rule.type,
        rule,
        test: compilePattern(rule.pattern, within(place, "pattern"), report),
        value: compileKey(rule, "value", place, report, textRule),
      };
    case "json_schema": {
      const schema = compileSchema(rule.schema, within(place, "schema"), report);
      return {
        type: rule.type,
        rule,
        problems: (output) => schema.validate(output, "output"),
      };
    }
    case "expression":
      return {
        type: rule.type,
        rule,
        expression: compileExpression(rule.expression, within(place, "expression"), report),
      };
    case "function":
      return {
        type: rule.type,
        rule,
        input: compileKey(rule, "input_map", place, report),
      };
    case "manual":
      return { type: rule.type, rule, ask: compileApproval(rule, place, report) };
  }
}

/** The steps that a `validate` may lead to. */
export function validateTargets(rule: Validate | undefined, place: Place): Target[] {
  return [
    ...targetAt(within(place, "next_step_on_pass"), rule?.next_step_on_pass),
    ...targetAt(within(place, "next_step_on_fail"), rule?.next_step_on_fail),
  ];
}

/** RE2 takes a time that grows with the text and no faster, whoever wrote pattern and text. */
function compilePattern(
  pattern: string,
  place: Place,
  report: Report,
): (text: string) => boolean {
  try {
    const compiled = RE2JS.compile(pattern);
    return (text) => compiled.matcher(text).find();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    report({
      path: place,
      message: `must be a regular expression as of RE2 (${reason}): current value is ${
        show(pattern)
      }`,
    });
    return () => false;
  }
}
