import type { CompiledValue } from "./context.ts";
import type { Admission } from "../contracts/turn.ts";
import type { PlanContext } from "./decision.ts";
import { limitKeyRule } from "./definition/value_rules.ts";
import { evaluationContext, type Job } from "./job.ts";
import { ruledValue } from "./ruled_value.ts";

/**
 * What a job must be given before it may go on: its place among the items of a map, a slot of its
 * workflow, a start within its rate, in this order; null when it has all. A slot of an ancestor
 * counts, as the two would wait for each other for ever.
 *
 * @throws {EngineError} `mapping_failed` where the key is no text; `expression_failed`
 */
export async function nextAdmission(job: Job, context: PlanContext): Promise<Admission | null> {
  const { slot_key, held_slots } = job;
  if (slot_key !== null && !held_slots.includes(slot_key)) {
    return { kind: "slot", key: slot_key, capacity: null };
  }
  // A branch runs on what its job was given.
  if (job.branch !== null) return null;
  const { concurrency, rateLimit } = context.definition;
  const name = `workflow:${job.workflow_id}`;
  if (concurrency !== null && !held_slots.some((held) => isOf(held, name))) {
    const key = concurrency.key === null ? name : await keyed(name, job, concurrency.key);
    if (!job.inherited_slots.includes(key)) {
      return { kind: "slot", key, capacity: concurrency.max_running };
    }
  }
  if (rateLimit !== null && job.state.not_before === undefined) {
    return { kind: "start", key: name, ...rateLimit };
  }
  return null;
}

function isOf(slot: string, name: string): boolean {
  return slot === name || slot.startsWith(`${name}:`);
}

async function keyed(name: string, job: Job, value: CompiledValue): Promise<string> {
  const context = evaluationContext(job);
  return `${name}:${await ruledValue(value, context, limitKeyRule, "concurrency.key")}`;
}
