import type { ApprovalStep } from "../../contracts/definition.ts";
import { compileSchema } from "../input_schema.ts";
import { type Place, within } from "../place.ts";
import type { Problem, Report } from "../problem.ts";
import type { CompiledValue } from "../values.ts";
import { compileKey } from "./compile_key.ts";
import { assigneesRule, textRule } from "./value_rules.ts";

/** What a person is asked, ready for any job: of an approval, or of a `validate` by hand. */
export interface CheckedApproval {
  readonly title: CompiledValue | null;
  readonly details: CompiledValue | null;
  /** Null: the job's owner decides. */
  readonly assignees: CompiledValue | null;
  /** The JSON Schema of what is to be filled in, as it is written; null: nothing is asked for. */
  readonly form: unknown;
  /** Where what was filled in does not fit `form`. */
  formProblems(form: unknown): Problem[];
  /** Whether the job's owner may decide. */
  readonly allowSelf: boolean;
  /** Null: the question never expires by itself. */
  readonly timeoutSeconds: number | null;
}

/** The keys that an approval and a `validate` by hand have in common. */
type ApprovalKeys = Pick<
  ApprovalStep,
  "title" | "details" | "assignees" | "form" | "allow_self" | "timeout_seconds"
>;

/**
 * Compiles the keys of a question to a person.
 * @param place where the object that has the keys stands
 */
export function compileApproval(keys: ApprovalKeys, place: Place, report: Report): CheckedApproval {
  const schema = keys.form === undefined
    ? undefined
    : compileSchema(keys.form, within(place, "form"), report);
  return {
    title: compileKey(keys, "title", place, report, textRule),
    details: compileKey(keys, "details", place, report),
    assignees: compileKey(keys, "assignees", place, report, assigneesRule),
    form: keys.form ?? null,
    formProblems: (form) => schema?.validate(form, "form") ?? [],
    allowSelf: keys.allow_self,
    timeoutSeconds: keys.timeout_seconds ?? null,
  };
}
