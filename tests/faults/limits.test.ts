import assert from "node:assert/strict";
import { findViolations } from "../support/invariants.ts";
import { oneStep, scenarios, task } from "../support/scenario.ts";

// One job at a time, a fresh run after every ten steps, and no cron: whatever starts here was
// kicked.
const test = await scenarios({
  cron: false,
  env: { ORCHESTRATOR_SLOTS: "1", ORCHESTRATOR_MAX_STEPS: "10" },
});

test("jobs inserted one after the other all start without cron", async (scenario) => {
  const workflow = await scenario.workflow(oneStep(task({ sleep_ms: 5 })));
  const ids: string[] = [];
  for (let n = 0; n < 15; n++) {
    ids.push(await scenario.start(workflow));
    if (n % 5 === 4) await scenario.ended(ids[n] ?? "");
  }

  for (const id of ids) assert.equal((await scenario.ended(id))["status"], "completed");
});

test("a job that nobody was told of starts with the next tick", async (scenario) => {
  const workflow = await scenario.workflow(oneStep(task()));
  const id = await scenario.start(workflow, {}, { kick: false });
  const [row] = await scenario.db`select tick()`;

  assert.deepEqual(row?.["tick"], { due: 1, kicks: 1 });
  assert.equal((await scenario.ended(id))["status"], "completed");
  const [idle] = await scenario.db`select tick()`;
  assert.deepEqual(idle?.["tick"], { due: 0, kicks: 0 });
});

test("higher priorities run first, and within one those that came first", async (scenario) => {
  const workflow = await scenario.workflow(oneStep(task()));
  const priorities = [5, 0, 9, 3, 9, 5, 1, 7];
  await scenario.db`insert into jobs (user_id, workflow_id, priority, created_at)
    select ${scenario.userId}, ${workflow}, priority, now() - interval '1 minute' + n * interval '1 s'
    from unnest(${priorities}::smallint[]) with ordinality as job (priority, n)`;

  const jobs = await scenario.db`select id, priority, created_at from jobs
    where workflow_id = ${workflow}`;
  for (const { id } of jobs) await scenario.ended(id);
  const order = await scenario.db`select priority, created_at from jobs
    where workflow_id = ${workflow} order by started_at`;

  assert.deepEqual(order.map(({ priority }) => priority), [9, 9, 7, 5, 5, 3, 1, 0]);
  for (const priority of [9, 5]) {
    const [first, second] = order.filter((job) => job["priority"] === priority);
    assert.ok(first?.["created_at"] < second?.["created_at"]);
  }
});

test("a job of more steps than a run may make is handed from run to run", async (scenario) => {
  const job = await scenario.run({
    start_step: "ping",
    steps: {
      ping: task({}, { input_map: { at: "$.job_input" }, next_step: "pong" }),
      pong: task({}, { next_step: "ping" }),
    },
    max_step_visits: 45,
  });

  assert.equal(job["error"].code, "step_budget_exceeded");
  assert.equal((await scenario.steps(job["id"])).length, 45);
  assert.equal(scenario.ledger(job["id"], "delivered").length, 45, "nothing was delivered twice");
  const handed = job["state_history"].filter((entry: { from: string; to: string }) =>
    entry.from === "running" && entry.to === "pending"
  );
  assert.ok(handed.length >= 4, `handed over ${handed.length} times`);
  assert.deepEqual(await findViolations(scenario.db, job["workflow_id"]), []);
});
