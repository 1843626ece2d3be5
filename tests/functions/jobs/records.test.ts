import assert from "node:assert/strict";
import { call } from "../../support/call.ts";
import { openDatabase } from "../../support/database.ts";
import { testStack } from "../../support/stack.ts";
import { createUser } from "../../support/user.ts";
import { insertFailedJob, startLater } from "../support.ts";

const stack = await testStack();
const owner = await createUser(stack);
const jobId = await makeJob();

/** A failed job with attempts and events, one of the attempts ending at the same time as another. */
async function makeJob(): Promise<string> {
  await using db = openDatabase(stack);
  const id = await insertFailedJob(db, owner);
  await db`
    insert into job_steps (job_id, step_id, visit, attempt, status, error, output, started_at, ended_at)
    select ${id}, step_id, visit, attempt, status,
      case status when 'failed' then '{"code": "timeout", "message": "no"}'::jsonb end,
      case status when 'completed' then '0'::jsonb end,
      '2030-01-31 12:00:00Z', '2030-01-31 12:00:00.123450Z'::timestamptz + at * interval '1 microsecond'
    from (values
      ('b', 1, 1, 'failed', 0), ('b', 1, 2, 'completed', 1),
      ('a', 1, 1, 'completed', 2), ('c', 1, 0, 'skipped', 2),
      ('b', 2, 1, 'failed', 3)) as made (step_id, visit, attempt, status, at)`;
  await db`
    insert into job_events (job_id, type, step_id, data)
    select ${id}, 'retry_scheduled', 'b', jsonb_build_object('n', n) from generate_series(1, 5) as n`;
  return id;
}

async function pages(kind: "steps" | "events", limit: number): Promise<Record<string, unknown>[]> {
  const found = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const from: string = cursor === "" ? "" : `&cursor=${cursor}`;
    const answer = await call(stack, `jobs/${jobId}/${kind}?limit=${limit}${from}`, { as: owner });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    found.push(...answer.body[kind]);
    cursor = answer.body.next_cursor;
  }
  return found;
}

for (const limit of [1, 2, 5]) {
  Deno.test(`GET jobs/{id}/steps gives attempts as they ended by pages of ${limit}`, async () => {
    const found = await pages("steps", limit);
    assert.deepEqual(
      found.map((step) => [step["step_id"], step["visit"], step["attempt"], step["status"]]),
      [
        ["b", 1, 1, "failed"],
        ["b", 1, 2, "completed"],
        ["a", 1, 1, "completed"],
        ["c", 1, 0, "skipped"],
        ["b", 2, 1, "failed"],
      ],
    );
    assert.deepEqual(found.map((step) => step["output"]), [null, 0, 0, null, null]);
    assert.equal(found[0]?.["ended_at"], "2030-01-31T12:00:00.12345+00:00");
  });

  Deno.test(`GET jobs/{id}/events gives them in order by pages of ${limit}`, async () => {
    const found = await pages("events", limit);
    assert.deepEqual(found.map((event) => event["data"]), [1, 2, 3, 4, 5].map((n) => ({ n })));
    assert.match(String(found[0]?.["created_at"]), /^\d{4}-\d\d-\d\dT[\d:.]+\+00:00$/);
  });
}

for (const kind of ["steps", "events"]) {
  Deno.test(`GET jobs/{id}/${kind} answers an empty page for a job that has none`, async () => {
    const id = await startLater(stack, owner);
    const answer = await call(stack, `jobs/${id}/${kind}`, { as: owner });
    assert.deepEqual([answer.status, answer.body], [200, { [kind]: [], next_cursor: null }]);
  });
}

Deno.test("GET jobs/{id}/explain says in a sentence why the job does not move", async () => {
  const id = await startLater(stack, owner);
  const answer = await call(stack, `jobs/${id}/explain`, { as: owner });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  const { job_id, status, reason, explanation, action } = answer.body;
  assert.deepEqual({ job_id, status, reason }, {
    job_id: id,
    status: "pending",
    reason: "scheduled",
  });
  assert.ok(explanation.length > 0 && action.length > 0);
});
