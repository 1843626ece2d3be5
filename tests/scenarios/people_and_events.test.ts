import assert from "node:assert/strict";
import { oneStep, type Scenario, scenarios, task } from "../support/scenario.ts";

const test = await scenarios();

async function emit(scenario: Scenario, name: string, payload: unknown, key: string | null = null) {
  const [row] = await scenario.db`select emit_event(${name}, ${
    scenario.db.json(payload as never)
  }, ${key}, ${scenario.userId}) as reply`;
  return row?.["reply"];
}

async function waiting(scenario: Scenario, id: string): Promise<void> {
  await scenario.reaches(id, "waiting");
}

const waitFor = (event: string, keys = {}) => ({ type: "wait_for_event", event, ...keys });

test("wait_for_event takes the event that its match means, and only that", async (scenario) => {
  const name = `paid_${crypto.randomUUID()}`;
  const id = await scenario.start(
    await scenario.workflow(oneStep(waitFor(name, { match: "event.order = job_input.order" }))),
    { order: 7 },
  );
  await waiting(scenario, id);
  await emit(scenario, name, { order: 6 });
  await emit(scenario, name, { order: 7, sum: 1 });
  await emit(scenario, name, { order: 7, sum: 2 });
  const job = await scenario.ended(id);
  assert.deepEqual(job["final_result"], { order: 7, sum: 1 });
  const late = (await scenario.events(id)).filter(({ type }) => type === "late_result_dropped");
  assert.ok(late.length <= 1, "only what came after the end may be late");
});

test("wait_for_event takes an event that came before the step was reached", async (scenario) => {
  const name = `early_${crypto.randomUUID()}`;
  const gate = crypto.randomUUID();
  await emit(scenario, name, { n: "before the job" });
  const id = await scenario.start(
    await scenario.workflow({
      start_step: "first",
      steps: { first: task({ gate }, { next_step: "wait" }), wait: waitFor(name) },
    }),
  );
  await scenario.delivered(id);
  await emit(scenario, name, { n: "before the step" });
  scenario.openGate(gate);
  const job = await scenario.ended(id);
  assert.deepEqual(job["final_result"], { n: "before the step" });
});

test("a loop over wait_for_event takes each event once, in order", async (scenario) => {
  const name = `tick_${crypto.randomUUID()}`;
  const id = await scenario.start(
    await scenario.workflow({
      start_step: "wait",
      steps: {
        wait: waitFor(name, { next_step: "more" }),
        more: {
          type: "choice",
          choices: [{ when: "wait.output.last", next_step: "done" }],
          default: "wait",
        },
        done: { type: "transform", output: "$.wait.output.n" },
      },
    }),
  );
  for (let n = 1; n <= 5; n++) await emit(scenario, name, { n, last: n === 5 });
  const job = await scenario.ended(id);
  assert.equal(job["final_result"], 5);
  const steps = await scenario.steps(id);
  assert.deepEqual(
    steps.filter(({ step_id }) => step_id === "wait").map(({ output }) => output.n),
    [1, 2, 3, 4, 5],
  );
});

test("an event with a key goes to those who wait for that key or for any", async (scenario) => {
  const name = `keyed_${crypto.randomUUID()}`;
  const keyed = await scenario.workflow(oneStep(waitFor(name, { key: "$.job_input.k" })));
  const [a, b, any] = [
    await scenario.start(keyed, { k: "a" }),
    await scenario.start(keyed, { k: "b" }),
    await scenario.start(await scenario.workflow(oneStep(waitFor(name)))),
  ];
  for (const id of [a, b, any]) await waiting(scenario, id);
  await emit(scenario, name, { n: 1 }, "a");
  for (const id of [a, any]) assert.deepEqual((await scenario.ended(id))["final_result"], { n: 1 });
  assert.equal((await scenario.job(b))["status"], "waiting");
  await emit(scenario, name, { n: 2 }, "b");
  assert.deepEqual((await scenario.ended(b))["final_result"], { n: 2 });
});

test("wait_for_event that runs out of time goes where on_timeout says, or fails", async (scenario) => {
  const name = `never_${crypto.randomUUID()}`;
  const routed = await scenario.run({
    start_step: "wait",
    steps: {
      wait: waitFor(name, { timeout_seconds: 0.2, on_timeout: "late" }),
      late: { type: "transform", output: "$.wait.error.code" },
    },
  });
  assert.equal(routed["final_result"], "event_timeout");
  const failed = await scenario.run(oneStep(waitFor(name, { timeout_seconds: 0.2 })));
  assert.equal(failed["error"].code, "event_timeout");
});

test("a signal reaches the job that it names, in a branch too", async (scenario) => {
  const workflow = await scenario.workflow(oneStep({
    type: "parallel",
    branches: { inner: { start_step: "wait", steps: { wait: waitFor("go") } } },
  }));
  const [id, other] = [await scenario.start(workflow), await scenario.start(workflow)];
  for (const job of [id, other]) {
    await scenario.when(job, (row) => row["open_children"] === 1);
  }
  await scenario.db`select signal_job(${id}, 'go', '{"n": 1}')`;
  assert.deepEqual((await scenario.ended(id))["final_result"], { inner: { n: 1 } });
  assert.equal((await scenario.job(other))["open_children"], 1);
  await scenario.cancel(other);
  await scenario.ended(other);
});

async function openApproval(scenario: Scenario, id: string) {
  await waiting(scenario, id);
  const [row] = await scenario.db`select * from approvals where job_id = ${id}
    and status = 'open'`;
  assert.ok(row);
  return row;
}

async function decide(
  scenario: Scenario,
  approval: string,
  decision: string,
  form: unknown = null,
) {
  await scenario.db`select decide_approval(${approval}, ${decision}, 'because', ${
    form === null ? null : scenario.db.json(form as never)
  })`;
}

test("approval goes on with what was decided", async (scenario) => {
  const id = await scenario.start(
    await scenario.workflow({
      start_step: "ask",
      steps: {
        ask: {
          type: "approval",
          title: "Pay {{job_input.sum}}?",
          details: { sum: "$.job_input.sum" },
          next_step: "after",
        },
        after: { type: "transform", output: "$.ask.output.decision" },
      },
    }),
    { sum: 12 },
  );
  const approval = await openApproval(scenario, id);
  assert.deepEqual([approval["title"], approval["details"]], ["Pay 12?", { sum: 12 }]);
  await decide(scenario, approval["id"], "approve");
  assert.equal((await scenario.ended(id))["final_result"], "approved");
});

test("approval that is rejected goes where on_reject says, or fails", async (scenario) => {
  const routed = await scenario.start(
    await scenario.workflow({
      start_step: "ask",
      steps: {
        ask: { type: "approval", on_reject: "no" },
        no: { type: "transform", output: "$.ask.output.notes" },
      },
    }),
  );
  const failing = await scenario.start(await scenario.workflow(oneStep({ type: "approval" })));
  for (const id of [routed, failing]) {
    await decide(scenario, (await openApproval(scenario, id))["id"], "reject");
  }
  assert.equal((await scenario.ended(routed))["final_result"], "because");
  assert.equal((await scenario.ended(failing))["error"].code, "rejected");
});

test("approval that nobody decides expires, and is closed", async (scenario) => {
  const id = await scenario.start(
    await scenario.workflow(oneStep({ type: "approval", timeout_seconds: 0.3 })),
  );
  assert.equal((await scenario.ended(id))["error"].code, "approval_timeout");
  const [approval] = await scenario.db`select id, status from approvals where job_id = ${id}`;
  assert.equal(approval?.["status"], "expired");
  await assert.rejects(decide(scenario, approval?.["id"], "approve"), { code: "MR010" });
});

test("a cancelled job takes its question back", async (scenario) => {
  const id = await scenario.start(await scenario.workflow(oneStep({ type: "approval" })));
  const approval = await openApproval(scenario, id);
  await scenario.cancel(id);
  await scenario.ended(id);
  const [row] = await scenario.db`select status from approvals where id = ${approval["id"]}`;
  assert.equal(row?.["status"], "cancelled");
});

test("validate by hand has a person judge the output", async (scenario) => {
  const definition = {
    start_step: "draft",
    steps: {
      draft: task([{ output: "first" }, { output: "second" }], {
        validate: { type: "manual", next_step_on_fail: "draft" },
      }),
    },
  };
  const id = await scenario.start(await scenario.workflow(definition));
  const first = await openApproval(scenario, id);
  assert.deepEqual(first["details"], { output: "first" });
  await decide(scenario, first["id"], "reject");
  await scenario.delivered(id, 2);
  const second = await openApproval(scenario, id);
  assert.deepEqual(second["details"], { output: "second" });
  await decide(scenario, second["id"], "approve");
  assert.equal((await scenario.ended(id))["final_result"], "second");
});

test("validate by a function has another executor judge the output", async (scenario) => {
  const judge = await scenario.transformer({
    config: {
      // Its deliveries are those of the step, of which each second is the check.
      do: [{}, { output: { pass: false, notes: "too short" } }, {}, { output: { pass: true } }],
    },
  });
  const id = await scenario.start(
    await scenario.workflow(oneStep(task([{ output: "a" }, {}, { output: "b" }, {}], {
      validate: { type: "function", transformer_id: judge },
      retry: { base_delay_seconds: 0, jitter: "none" },
    }))),
  );
  const job = await scenario.ended(id);
  assert.equal(job["status"], "completed", job["error_message"]);
  const steps = await scenario.steps(id);
  assert.deepEqual(steps.map(({ status }) => status), ["failed", "completed"]);
  assert.equal(steps[0]?.["error"].code, "validation_failed");
  assert.match(steps[0]?.["error"].message, /too short/);
});
