import assert from "node:assert/strict";
import { oneStep, type Scenario, scenarios, task } from "../support/scenario.ts";
import { until } from "../support/until.ts";

const test = await scenarios();

/** How many jobs of a workflow run or have begun, now. */
async function begun(scenario: Scenario, workflow: string): Promise<number> {
  const [row] = await scenario.db`select count(*)::int as n from jobs
    where workflow_id = ${workflow} and held_slots is not null
      and status not in ('completed', 'failed', 'cancelled')`;
  return row?.["n"];
}

test("no more jobs of a workflow run than its concurrency allows", async (scenario) => {
  const gate = crypto.randomUUID();
  const workflow = await scenario.workflow({
    ...oneStep(task({ gate })),
    concurrency: { max_running: 2 },
  });
  const ids: string[] = [];
  for (let n = 0; n < 5; n++) ids.push(await scenario.start(workflow, { n }));
  await until(async () => {
    const [row] = await scenario.db`select count(*)::int as n from jobs
      where workflow_id = ${workflow} and wanted_slot is not null`;
    return { done: row?.["n"] === 3, value: row };
  });
  assert.equal(await begun(scenario, workflow), 2);
  const out = () => ids.filter((id) => scenario.ledger(id, "delivered").length > 0).length;
  await until(() => ({ done: out() >= 2, value: out() }));
  assert.equal(out(), 2);

  scenario.openGate(gate);
  for (const id of ids) assert.equal((await scenario.ended(id))["status"], "completed");
  const slots = await scenario.db`select in_use from millrace.slots
    where key = ${`workflow:${workflow}`}`;
  assert.deepEqual([...slots], [{ in_use: 0 }]);
});

test("concurrency counts each key by itself", async (scenario) => {
  const gate = crypto.randomUUID();
  const workflow = await scenario.workflow({
    ...oneStep(task({ gate })),
    concurrency: { max_running: 1, key: "$.job_input.customer" },
  });
  const a1 = await scenario.start(workflow, { customer: "a" });
  await scenario.delivered(a1);
  const a2 = await scenario.start(workflow, { customer: "a" });
  const b1 = await scenario.start(workflow, { customer: "b" });
  await scenario.delivered(b1);
  await scenario.when(a2, (job) => job["wanted_slot"] === `workflow:${workflow}:a`);
  assert.equal((await scenario.job(a2))["status"], "pending");

  scenario.openGate(gate);
  for (const id of [a1, a2, b1]) assert.equal((await scenario.ended(id))["status"], "completed");
});

test("a job that waits for a slot can be cancelled, and its slot goes to the next", async (scenario) => {
  const gate = crypto.randomUUID();
  const workflow = await scenario.workflow({
    ...oneStep(task({ gate })),
    concurrency: { max_running: 1 },
  });
  const first = await scenario.start(workflow);
  await scenario.delivered(first);
  const second = await scenario.start(workflow);
  await scenario.when(second, (job) => job["wanted_slot"] !== null);
  const third = await scenario.start(workflow);
  await scenario.when(third, (job) => job["wanted_slot"] !== null);
  await scenario.cancel(second);
  assert.equal((await scenario.ended(second))["status"], "cancelled");
  await scenario.cancel(first);
  assert.equal((await scenario.ended(first))["status"], "cancelled");
  await scenario.delivered(third);
  scenario.openGate(gate);
  assert.equal((await scenario.ended(third))["status"], "completed");
});

test("a workflow that calls itself does not wait for its own slot", async (scenario) => {
  const id = `test_${crypto.randomUUID().replaceAll("-", "")}`;
  const definition = {
    start_step: "more",
    concurrency: { max_running: 1 },
    steps: {
      more: {
        type: "choice",
        choices: [{ when: "job_input.n > 0", next_step: "call" }],
        default: "done",
      },
      call: { type: "workflow", workflow_id: id, input_map: { n: { $expr: "job_input.n - 1" } } },
      done: { type: "transform", output: "bottom" },
    },
  };
  await scenario.db`insert into workflows (id, definition)
    values (${id}, ${scenario.db.json(definition as never)})`;
  const job = await scenario.ended(await scenario.start(id, { n: 2 }));
  assert.equal(job["final_result"], "bottom", job["error_message"]);
});

test("max_concurrency of 1 is a sequential loop", async (scenario) => {
  const id = await scenario.start(
    await scenario.workflow(oneStep({
      type: "map",
      items: [3, 1, 2],
      max_concurrency: 1,
      transformer_id: "test",
      config: { do: [{ sleep_ms: 20 }] },
    })),
  );
  const job = await scenario.ended(id);
  assert.deepEqual(job["final_result"], [3, 1, 2]);
  const spans = await scenario.db`select s.started_at, s.ended_at from jobs j
    join job_steps s on s.job_id = j.id where j.parent_job_id = ${id} order by j.item_index`;
  assert.equal(spans.length, 3);
  for (const [i, span] of spans.entries()) {
    const before = spans[i - 1];
    if (before) assert.ok(span["started_at"] >= before["ended_at"], "one after the other");
  }
});

test("a rate limit spreads starts over time", async (scenario) => {
  const workflow = await scenario.workflow({
    ...oneStep(task()),
    rate_limit: { max_starts: 2, per_seconds: 1 },
  });
  const rows = await scenario.db`insert into jobs (user_id, workflow_id)
    select ${scenario.userId}, ${workflow} from generate_series(1, 5) returning id`;
  for (const { id } of rows) assert.equal((await scenario.ended(id))["status"], "completed");
  const starts = await scenario.db`select starts_at from millrace.rate_starts
    where key = ${`workflow:${workflow}`} order by starts_at`;
  assert.equal(starts.length, 5);
  for (const [i, { starts_at }] of starts.entries()) {
    const earlier = starts[i - 2];
    if (earlier !== undefined) assert.ok(starts_at - earlier["starts_at"] >= 1000);
  }
  const [early] = await scenario.db`select j.id from jobs j join job_steps s on s.job_id = j.id
    where j.workflow_id = ${workflow}
      and s.started_at < date_trunc('milliseconds', (j.state ->> 'not_before')::timestamptz)`;
  assert.equal(early, undefined, "no job began before it might");
});
