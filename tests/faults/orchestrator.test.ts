import assert from "node:assert/strict";
import { findViolations } from "../support/invariants.ts";
import { faultScenarios, oneStep, type Scenario, task } from "../support/scenario.ts";

const test = await faultScenarios({ MAX_REDELIVERIES: "1" });

const ORCHESTRATOR = "workflow-orchestrator";
const TURN = "/rest/v1/rpc/turn";

/** Starts a job of two steps, of which the first waits at a gate and says something unique. */
async function startGated(scenario: Scenario, keys: Record<string, unknown> = {}) {
  const gate = crypto.randomUUID();
  const said = `said ${gate}`;
  const workflow = await scenario.workflow({
    start_step: "first",
    steps: {
      first: task({ deaf_gate: gate, output: said }, { next_step: "second", ...keys }),
      second: task(),
    },
  });
  return { id: await scenario.start(workflow), gate, said };
}

/** The job has completed, each attempt was recorded once and delivered under one key. */
async function assertSound(
  scenario: Scenario,
  id: string,
  deliveries: { first: number; second: number },
): Promise<void> {
  const job = await scenario.ended(id);
  assert.equal(job["status"], "completed", job["error_message"]);
  const steps = await scenario.steps(id);
  assert.deepEqual(steps.map(({ step_id, visit, attempt }) => `${step_id} ${visit}.${attempt}`), [
    "first 1.1",
    "second 1.1",
  ]);
  const lines = scenario.ledger(id, "delivered");
  const of = (step: string) => lines.filter((line) => line.step_id === step);
  assert.deepEqual({ first: of("first").length, second: of("second").length }, deliveries);
  for (const step of ["first", "second"]) {
    assert.equal(new Set(of(step).map((line) => line.idempotency_key)).size, 1);
    assert.equal(new Set(of(step).map((line) => line.task_id)).size, of(step).length);
  }
  assert.deepEqual(await findViolations(scenario.db, job["workflow_id"]), []);
}

test("an orchestrator killed while its jobs are in every state gives each back once", async (scenario) => {
  const [unsent, out, done] = [
    await startGated(scenario),
    await startGated(scenario),
    await startGated(scenario),
  ];
  for (const { id } of [unsent, out, done]) await scenario.delivered(id);
  await using lostTask = await scenario.fault({
    ...{
      path: "/execute-test",
      body: `"step_id":"second"`,
      when: "before",
      then: "lose",
      times: 1,
    },
  });
  scenario.openGate(unsent.gate);
  await lostTask.hit();
  await using lostTurn = await scenario.fault({
    ...{ path: TURN, body: done.said, when: "before", then: "lose" },
  });
  scenario.openGate(done.gate);
  await lostTurn.hit();
  await scenario.kill(ORCHESTRATOR);
  await lostTask.remove();
  await lostTurn.remove();
  await scenario.delivered(out.id, 2);
  scenario.openGate(out.gate);

  await assertSound(scenario, unsent.id, { first: 1, second: 1 });
  await assertSound(scenario, out.id, { first: 2, second: 1 });
  await assertSound(scenario, done.id, { first: 2, second: 1 });
  const [first] = await scenario.steps(out.id);
  assert.equal(first?.["redeliveries"], 1);
  const events = await scenario.events(out.id);
  assert.deepEqual(events.map(({ type, step_id }) => [type, step_id]), [["redelivered", "first"]]);
});

test("an orchestrator killed when it has committed but does not know it", async (scenario) => {
  const { id, gate, said } = await startGated(scenario);
  await scenario.delivered(id);
  const fault = await scenario.fault({ path: TURN, body: said, when: "after", then: "hold" });
  scenario.openGate(gate);
  await fault.hit();
  await scenario.kill(ORCHESTRATOR);
  await fault.remove();

  await assertSound(scenario, id, { first: 1, second: 1 });
});

test("an attempt that outlives no delivery fails with executor_crashed", async (scenario) => {
  const { id } = await startGated(scenario, { retry: { max_retries: 0 } });
  for (const n of [1, 2]) {
    await scenario.delivered(id, n);
    await scenario.kill(ORCHESTRATOR);
  }

  const job = await scenario.ended(id);
  assert.deepEqual([job["status"], job["error"].code], ["failed", "executor_crashed"]);
  assert.equal(scenario.ledger(id, "delivered").length, 2);
});

test("a commit whose answer is lost counts once", async (scenario) => {
  const { id, gate, said } = await startGated(scenario);
  await scenario.delivered(id);
  await using fault = await scenario.fault({
    ...{ path: TURN, body: said, when: "after", then: "fail", times: 1 },
  });
  scenario.openGate(gate);
  await fault.hit();

  await assertSound(scenario, id, { first: 1, second: 1 });
});

test("a claim whose answer is lost is found again", async (scenario) => {
  await using fault = await scenario.fault({
    ...{ path: TURN, body: `"claim":100`, when: "after", then: "fail", times: 1 },
  });
  const { id, gate } = await startGated(scenario);
  await fault.hit();
  scenario.openGate(gate);

  await assertSound(scenario, id, { first: 1, second: 1 });
});

test("a message whose reading was lost is read again", async (scenario) => {
  const gate = crypto.randomUUID();
  const step = task({ deaf_gate: gate, accept: true }, { callback: true, timeout_seconds: 3600 });
  const id = await scenario.start(await scenario.workflow(oneStep(step)));
  const [delivery] = await scenario.delivered(id);
  await using fault = await scenario.fault({
    ...{ path: TURN, body: `"extend":["${id}`, when: "after", then: "fail", times: 1 },
  });
  await scenario.db`select complete_step(${delivery?.token ?? ""}, '"by callback"')`;
  await fault.hit();
  scenario.openGate(gate);

  const job = await scenario.ended(id);
  assert.deepEqual([job["status"], job["final_result"]], ["completed", "by callback"]);
});

test("an owner that was frozen until its lease ran out changes nothing any more", async (scenario) => {
  const { id, gate } = await startGated(scenario);
  await scenario.delivered(id);
  const frozen = await scenario.pid(ORCHESTRATOR);
  Deno.kill(frozen, "SIGSTOP");
  await scenario.retire(ORCHESTRATOR);
  await scenario.delivered(id, 2);
  scenario.openGate(gate);
  await assertSound(scenario, id, { first: 2, second: 1 });
  const [before, steps] = [await scenario.job(id), await scenario.steps(id)];

  await using late = await scenario.fault({ path: TURN, body: id, when: "after", then: "count" });
  Deno.kill(frozen, "SIGCONT");
  await late.hit();

  assert.deepEqual(await scenario.job(id), before);
  assert.deepEqual(await scenario.steps(id), steps);
});

test("a Data API that is away for a while loses nothing", async (scenario) => {
  const workflow = await scenario.workflow({
    start_step: "first",
    steps: { first: task({}, { next_step: "second" }), second: task({ sleep_ms: 50 }) },
  });
  const ids: string[] = [];
  for (let n = 0; n < 20; n++) ids.push(await scenario.start(workflow));
  const fault = await scenario.fault({ path: "/rest/v1/", when: "before", then: "fail" });
  await scenario.kick();
  await fault.hit(8);
  await fault.remove();

  for (const id of ids) await scenario.ended(id);
  for (const id of ids) await assertSound(scenario, id, { first: 1, second: 1 });
});

test("what Postgres refuses fails its own job, and those committed with it go on", async (scenario) => {
  const gate = crypto.randomUUID();
  const refused = { $expr: `$formatBase(0) & "\\u0000"` };
  const bad = await scenario.workflow({
    start_step: "first",
    steps: {
      first: task({ gate }, { next_step: "second" }),
      second: task({}, { input_map: { text: refused } }),
    },
  });
  const good = await scenario.workflow({
    start_step: "first",
    steps: { first: task({ gate }, { next_step: "second" }), second: task() },
  });
  const rows = await scenario.db`insert into jobs (user_id, workflow_id)
    select ${scenario.userId}, id from unnest(${[good, bad, good, good]}::text[]) as id
    returning id, workflow_id`;
  for (const { id } of rows) await scenario.delivered(id);
  scenario.openGate(gate);

  for (const { id, workflow_id } of rows) {
    const job = await scenario.ended(id);
    assert.equal(
      job["status"],
      workflow_id === good ? "completed" : "failed",
      job["error_message"],
    );
  }
});
