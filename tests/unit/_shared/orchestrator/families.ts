import assert from "node:assert/strict";
import type {
  ClaimedJob,
  JobWrite,
  TurnReply,
} from "../../../../supabase/functions/_shared/contracts/turn.ts";
import {
  aJob,
  claimReply,
  completed,
  ManualEngine,
  type Turn,
} from "../../../support/manual_engine.ts";

/** Two branches of one task each, and a step after them. */
export const FAN = {
  start_step: "fan",
  steps: {
    fan: {
      type: "parallel",
      branches: {
        left: { start_step: "work", steps: { work: { transformer_id: "echo" } } },
        right: { start_step: "work", steps: { work: { transformer_id: "echo" } } },
      },
      next_step: "after",
    },
    after: { transformer_id: "echo", input_map: "$.fan.output" },
  },
};

/** A map over 17 items: more than a run takes along with their parent. */
export const WIDE = {
  start_step: "each",
  steps: {
    each: {
      type: "map",
      items: { $literal: Array.from({ length: 17 }, (_, i) => i) },
      transformer_id: "echo",
      max_concurrency: 0,
    },
  },
};

/** A definition whose first step leads to one that starts children. */
export function after(definition: typeof FAN | typeof WIDE) {
  return {
    start_step: "first",
    steps: {
      first: { transformer_id: "echo", next_step: definition.start_step },
      ...definition.steps,
    },
  };
}

/** A turn's reply with jobs of a definition. */
export function claimReplyOf(definition: unknown, ...jobs: ClaimedJob[]): Partial<TurnReply> {
  const ids = new Set(jobs.map(({ workflow_id }) => workflow_id));
  return {
    ...claimReply(...jobs),
    definitions: [...ids].map((workflow_id) => ({ workflow_id, version: 1, definition })),
  };
}

/** An engine that has claimed one job of a definition. */
export async function claimed(definition: { start_step: string }) {
  const engine = new ManualEngine();
  const parent = aJob({ current_step_id: definition.start_step });
  (await engine.turns.next()).reply(claimReplyOf(definition, parent));
  return { engine, parent };
}

/** An engine that has been asked to start children in the commit that ends the step before. */
export async function spawning(definition: typeof FAN | typeof WIDE) {
  const { engine, parent } = await claimed(after(definition));
  (await engine.tasks.next()).end(completed("first"));
  return { engine, parent, spawn: await engine.turns.next() };
}

/** The children that a commit starts, as they are leased with it. */
export function childrenOf(parent: ClaimedJob, turn: Turn): ClaimedJob[] {
  const { spawn } = writeOf(turn, parent);
  assert.ok(spawn);
  return spawn.children.map(({ index, branch, start_step }) =>
    aJob({
      workflow_id: parent.workflow_id,
      user_id: parent.user_id,
      current_step_id: start_step ?? "",
      parent_job_id: parent.job_id,
      parent_step_id: spawn.step_id,
      parent_visit: spawn.visit,
      item_index: index,
      branch: branch ?? null,
      scope: `${parent.job_id}:${spawn.step_id}:${spawn.visit}:1`,
      depth: 1,
      version: 2,
    })
  );
}

/** An engine whose job has started two branches, the tasks of which are out. */
export async function started() {
  const { engine, parent, spawn } = await spawning(FAN);
  const [left, right] = childrenOf(parent, spawn);
  assert.ok(left && right);
  spawn.reply({ claimed: [left, right] });
  return { engine, parent, left, right };
}

/** What a turn writes of a job. */
export function writeOf({ request }: Turn, { job_id }: Pick<ClaimedJob, "job_id">): JobWrite {
  const write = request.writes.find((write) => write.job.job_id === job_id);
  assert.ok(write, `nothing was written of ${job_id}`);
  return write;
}

/** Resolves when all that can be decided without an answer has been: no decision waits for a timer. */
export function decided(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
