import assert from "node:assert/strict";
import { post } from "../support/call.ts";
import { findViolations } from "../support/invariants.ts";
import { insertUser, oneStep, scenarios, task } from "../support/scenario.ts";
import { createUser } from "../support/user.ts";
import { until } from "../support/until.ts";

const test = await scenarios();

test("200 jobs of several users all end, each with its own result", async (scenario) => {
  const users = [scenario.userId];
  while (users.length < 5) users.push(await insertUser(scenario.db));
  const workflow = await scenario.workflow({
    start_step: "one",
    steps: {
      one: task({}, { input_map: { n: "$.job_input.n" }, next_step: "two" }),
      two: task({}, { input_map: { square: { $expr: "one.output.n * one.output.n" } } }),
    },
  });

  const rows = await scenario.db`
    insert into jobs (user_id, workflow_id, input_data)
    select (${users}::uuid[])[n % 5 + 1], ${workflow}, jsonb_build_object('n', n)
    from generate_series(1, 200) n returning id`;
  const ids = rows.map((row) => row["id"]);
  const jobs = await until(async () => {
    const jobs = await scenario.db`select * from jobs where workflow_id = ${workflow}`;
    return { done: jobs.every((job) => job["completed_at"] !== null), value: jobs };
  });

  assert.equal(jobs.length, 200);
  for (const job of jobs) {
    assert.equal(job["status"], "completed");
    assert.deepEqual(job["final_result"], { square: job["input_data"].n ** 2 });
    assert.equal(users.indexOf(job["user_id"]), job["input_data"].n % 5);
  }
  for (const id of ids) assert.equal(scenario.ledger(id, "delivered").length, 2);
  assert.deepEqual(await findViolations(scenario.db, workflow), []);
});

test("outputs of nearly a mebibyte pass, larger ones fail their own job only", async (scenario) => {
  const sizes = [900_000, 1_000_000, 1_100_000, 10];
  const workflow = await scenario.workflow(oneStep(task()));
  const ids: string[] = [];
  for (const size of sizes) {
    const own = await scenario.workflow(oneStep(task({ size })));
    ids.push(await scenario.start(own));
  }
  ids.push(await scenario.start(workflow));

  const jobs = await Promise.all(ids.map((id) => scenario.ended(id)));

  assert.deepEqual(jobs.map((job) => job["error"]?.code ?? job["status"]), [
    ...["completed", "completed", "payload_too_large", "completed", "completed"],
  ]);
});

test("a user sees jobs, steps and events of their own only", async (scenario) => {
  const [ann, bob] = await Promise.all([createUser(scenario.stack), createUser(scenario.stack)]);
  const workflow_id = await scenario.workflow(
    oneStep(task([{ fail: { code: "network", message: "no" } }, {}], {
      retry: { base_delay_seconds: 0 },
    })),
  );
  const ids: string[] = [];
  for (const user of [ann, bob]) {
    const answer = await post(scenario.stack, "start-workflow", { workflow_id }, user);
    ids.push(answer.body.job_id);
    await scenario.ended(answer.body.job_id);
  }

  const see = async (table: string, token?: string): Promise<Record<string, string>[]> => {
    const response = await fetch(`${scenario.stack.apiUrl}/rest/v1/${table}?select=*`, {
      headers: {
        apikey: scenario.stack.publishableKey,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
    });
    const body = await response.json();
    return response.ok ? body : [];
  };

  for (const [index, user] of [ann, bob].entries()) {
    const jobs = await see("jobs", user.token);
    assert.deepEqual(jobs.map((job) => job["id"]), [ids[index]]);
    const steps = await see("job_steps", user.token);
    assert.deepEqual(steps.map((step) => step["job_id"]), [ids[index], ids[index]]);
    const events = await see("job_events", user.token);
    assert.deepEqual(events.map((event) => event["job_id"]), [ids[index]]);
  }
  for (const table of ["jobs", "job_steps", "job_events"]) {
    assert.deepEqual(await see(table), [], `${table} for nobody`);
  }
});
