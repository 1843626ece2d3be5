import { createHash } from "node:crypto";
import { jobStateSchema, type Spawn, type SpawnedChild } from "../contracts/turn.ts";
import type { Job } from "../engine/job.ts";
import { firstScopeKey } from "./scopes.ts";

/** A child that the database makes is claimed, which its version counts by this. */
const VERSION_WHEN_LEASED = 2;

/**
 * The id of a child, the same whenever its parent starts it: should the parent be lost before the
 * start is durable, its next owner starts the same children again, and their tasks have the keys
 * that they had.
 */
export function childId({ job_id, step_id, visit }: Spawn, index: number): string {
  const hash = createHash("sha256").update(`${job_id}:${step_id}:${visit}:${index}`).digest();
  hash[6] = (hash.readUInt8(6) & 0x0f) | 0x80; // version 8 of RFC 9562: made in a way of our own
  hash[8] = (hash.readUInt8(8) & 0x3f) | 0x80;
  const hex = hash.toString("hex");
  return [[0, 8], [8, 12], [12, 16], [16, 20], [20, 32]]
    .map(([from, to]) => hex.slice(from, to)).join("-");
}

/**
 * A branch of its parent as the database will hand it out once it has been started.
 *
 * @param at when it is started, by the database's clock (RFC 3339)
 */
export function bornChild(
  parent: Job,
  spawn: Spawn,
  child: SpawnedChild,
  at: string,
): Job {
  return {
    job_id: child.id ?? childId(spawn, child.index),
    user_id: parent.user_id,
    workflow_id: parent.workflow_id,
    workflow_version: parent.workflow_version,
    current_step_id: child.start_step ?? "",
    input_data: null,
    step_data: {},
    state: jobStateSchema.parse({}),
    version: VERSION_WHEN_LEASED,
    // What was sent before its parent was lost may have arrived.
    redeliveries: parent.redeliveries,
    retry_count: 0,
    max_retries: parent.max_retries,
    created_at: at,
    started_at: at,
    deadline_at: null,
    trace_id: parent.trace_id,
    priority: parent.priority,
    parent_job_id: parent.job_id,
    parent_step_id: spawn.step_id,
    parent_visit: spawn.visit,
    item_index: child.index,
    depth: parent.depth + 1,
    branch: child.branch ?? null,
    item: child.item ?? null,
    scope: firstScopeKey(spawn),
    open_children: 0,
    failed_children: 0,
    slot_key: null,
    held_slots: [],
    inherited_slots: [...parent.held_slots, ...parent.inherited_slots],
    children: null,
  };
}
