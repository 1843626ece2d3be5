import assert from "node:assert/strict";
import fc from "fast-check";
import type { Transformer } from "../../../../../supabase/functions/_shared/contracts/turn.ts";
import { checkDefinition } from "../../../../../supabase/functions/_shared/engine/definition/check.ts";
import { Answers, nameless } from "./answers.ts";
import { definitionsOf } from "./definitions.ts";
import type { StorySeed } from "./graphs.ts";
import { Interpreter, type Outcome, TooLongError } from "./interpret.ts";
import { checkEnd } from "./invariants.ts";
import type { JobRow } from "./rows.ts";
import { type Roughness, Story } from "./story.ts";

const TRANSFORMERS: ReadonlyMap<string, Transformer> = new Map(
  ["echo", "stubborn", "judge"].map((id) => [id, {
    id,
    type: "story",
    config: {},
    target_function: "execute-story",
    batch_size: 10,
    retry: id === "stubborn" ? { max_retries: 2, jitter: "none" } : null,
  }]),
);

/** Most steps that the jobs of a story go through. */
const MAX_STEPS = 150;

/** Two jobs of the first workflow, each with its input. */
const INPUTS = [{ n: 1, items: [0, 1, null] }, { n: 2, items: [] }];

/** Tells a story and checks that its jobs end as a direct reading of their definitions does. */
export async function tellStory(seed: StorySeed, rough: Roughness): Promise<void> {
  const written = definitionsOf(seed);
  const checked = new Map([...written].map(([id, raw]) => {
    const result = checkDefinition(raw);
    // Some go round in circles without a rest, which is refused.
    fc.pre(result.ok);
    return [id, result.ok ? result.definition : assert.fail()];
  }));
  const answers = new Answers(seed.answers);
  const inputs = INPUTS.slice(0, 1 + seed.chaos % 2);
  const raw = new Map([...TRANSFORMERS].map(([id, row]) => [id, { retry: row.retry ?? {} }]));
  const interpreterOf = (room: number) => new Interpreter(written, raw, answers, room);
  fc.pre(isShort(interpreterOf(MAX_STEPS), inputs));

  const story = new Story(checked, TRANSFORMERS, answers, rough, seed.chaos);
  const { db } = story;
  inputs.forEach((input_data, i) => {
    const deadline_at = story.random.chance(rough.deadline)
      ? db.now + story.random.below(200_000)
      : null;
    db.insert({ path: `root${i}`, workflow_id: "w0", input_data, deadline_at });
  });
  await story.tell();
  checkEnd(db);
  if (rough.retry > 0) return;
  const interpreter = interpreterOf(Infinity);
  for (const job of db.jobs.values()) {
    if (job.depth > 0 || (job.status === "cancelled" && rough.cancel > 0)) continue;
    if (job.deadline_at !== null && job.error?.message.startsWith("Job did not end")) continue;
    const expected = interpreter.workflow(job.workflow_id, job.path, nameless(job.input_data));
    assert.deepEqual(outcomeOf(job), expected, job.path);
  }
}

/** Steps within steps within loops may be more than anybody has time for. */
function isShort(interpreter: Interpreter, inputs: readonly unknown[]): boolean {
  try {
    inputs.forEach((input, i) => interpreter.workflow("w0", `root${i}`, input));
    return true;
  } catch (error) {
    if (error instanceof TooLongError) return false;
    throw error;
  }
}

function outcomeOf({ status, final_result, error }: JobRow): Outcome | { status: string } {
  if (status === "completed") return { status, result: nameless(final_result) };
  return status === "failed" ? { status, code: error?.code ?? "none" } : { status };
}
