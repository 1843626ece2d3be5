import type { SpawnedChild } from "../../contracts/turn.ts";
import type { CompiledValue } from "../context.ts";
import { EngineError } from "../errors.ts";
import { evaluationContext, type Job } from "../job.ts";
import { itemsRule } from "../definition/value_rules.ts";
import { ruledValue } from "../ruled_value.ts";
import { startChildren } from "./children.ts";
import type { StepHandler } from "./handler.ts";
import { cutText } from "../text.ts";

const SHOWN_ERRORS = 100;
/** Characters of their messages: the rest stands in the children's rows. */
const SHOWN_TEXT = 500;

/** A child for each item of a list. */
export const mapHandler: StepHandler<"map"> = {
  async begin(job, checked, { definition, now }) {
    const { step, id } = checked;
    const place = `steps.${id}.items`;
    const found = await ruledValue(checked.items, evaluationContext(job), itemsRule, place);
    const items = found as readonly unknown[]; // by the rule
    if (items.length === 0) return { type: "completed", output: [], errors: [] };
    const branch = checked.path === null ? null : definition.branches.get(checked.path);
    if (branch === undefined) {
      throw new EngineError("definition_invalid", `There is no branch '${checked.path}'`);
    }
    const children = branch === null
      ? await workflowChildren(job, items, checked.input)
      : items.map((item, index) => ({
        index,
        branch: checked.path ?? "",
        start_step: branch.start_step,
        item,
      }));
    return startChildren(job, id, now, {
      children,
      ...(step.workflow_id === undefined
        ? {}
        : { workflow: { id: step.workflow_id, version: step.version } }),
      maxRunning: step.max_concurrency,
      tolerated: toleratedOf(step.tolerated_failures, items.length),
      timeoutSeconds: step.timeout_seconds,
    });
  },

  join(_checked, ends, total) {
    const output: unknown[] = new Array(total).fill(null);
    const errors = [];
    for (const { index, status, result, error } of ends) {
      if (status === "completed") output[index] = result ?? null;
      else if (error !== null && errors.length < SHOWN_ERRORS) {
        const { code, message, retryable } = error;
        errors.push({ index, error: { code, message: cutText(message, SHOWN_TEXT), retryable } });
      }
    }
    return { type: "completed", output, errors };
  },

  childName: (_checked, { index }) => `item ${index}`,
};

/** How many of so many children may fail. */
export function toleratedOf(tolerated: number | string, total: number): number {
  return typeof tolerated === "number"
    ? tolerated
    : Math.floor(total * Number(tolerated.slice(0, -1)) / 100);
}

async function workflowChildren(
  job: Job,
  items: readonly unknown[],
  input: CompiledValue | null,
): Promise<SpawnedChild[]> {
  const children: SpawnedChild[] = [];
  for (const [index, item] of items.entries()) {
    children.push({
      index,
      item,
      input: input === null ? item : await input.evaluate(evaluationContext(job, { item, index })),
    });
  }
  return children;
}
