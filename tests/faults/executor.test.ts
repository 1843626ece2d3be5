import assert from "node:assert/strict";
import { findViolations } from "../support/invariants.ts";
import { faultScenarios, oneStep, type Scenario, task } from "../support/scenario.ts";

const test = await faultScenarios();

const EXECUTOR = "execute-test";

/** Starts jobs of these workflows with one statement: their tasks travel in one call. */
async function startTogether(scenario: Scenario, workflows: string[]): Promise<string[]> {
  const rows = await scenario.db`insert into jobs (user_id, workflow_id)
    select ${scenario.userId}, id from unnest(${workflows}::text[]) as id returning id`;
  return rows.map((row) => row["id"]);
}

function assertOneKey(scenario: Scenario, id: string): void {
  const keys = scenario.ledger(id, "delivered").map((line) => line.idempotency_key);
  assert.equal(new Set(keys).size, 1);
}

test("an executor killed in the middle of a batch gets the tasks again, each at most once more", async (scenario) => {
  const gate = crypto.randomUUID();
  const workflow = await scenario.workflow(oneStep(task({ gate, output: "done" })));
  const ids = await startTogether(scenario, Array(6).fill(workflow));
  for (const id of ids) await scenario.delivered(id);

  await scenario.kill(EXECUTOR);
  for (const id of ids) await scenario.delivered(id, 2);
  scenario.openGate(gate);

  for (const id of ids) {
    const job = await scenario.ended(id);
    assert.deepEqual([job["status"], job["final_result"]], ["completed", "done"]);
    assert.equal(scenario.ledger(id, "delivered").length, 2);
    assertOneKey(scenario, id);
    const [step] = await scenario.steps(id);
    assert.deepEqual([step?.["attempt"], step?.["redeliveries"]], [1, 1]);
  }
  assert.deepEqual(await findViolations(scenario.db, workflow), []);
});

test("a task that kills its executor takes nobody with it", async (scenario) => {
  const mate = await scenario.workflow(oneStep(task({ sleep_ms: 300, output: "done" })));
  const poison = await scenario.workflow(
    oneStep(task({ exit: true }, { retry: { max_retries: 1, base_delay_seconds: 0 } })),
  );
  const [first, ...mates] = await startTogether(scenario, [poison, mate, mate, mate, mate]);

  for (const id of mates) {
    const job = await scenario.ended(id);
    assert.deepEqual(
      [job["status"], job["final_result"]],
      ["completed", "done"],
      job["error_message"],
    );
    assertOneKey(scenario, id);
  }
  const job = await scenario.ended(first ?? "");
  assert.deepEqual([job["status"], job["error"].code], ["failed", "executor_crashed"]);
  const steps = await scenario.steps(job["id"]);
  assert.deepEqual(steps.map(({ attempt, error }) => [attempt, error.code]), [
    [1, "executor_crashed"],
    [2, "executor_crashed"],
  ]);
  assert.equal(scenario.ledger(job["id"], "delivered").length, 8, "four times per attempt");
});

test("an executor that was killed while it answered is asked again", async (scenario) => {
  const fault = await scenario.fault({ path: `/${EXECUTOR}`, when: "after", then: "hold" });
  const id = await scenario.start(await scenario.workflow(oneStep(task({ output: "done" }))));
  await scenario.noted(id, "finished");
  await scenario.kill(EXECUTOR);
  await fault.remove();

  const job = await scenario.ended(id);
  assert.deepEqual([job["status"], job["final_result"]], ["completed", "done"]);
});

test("an executor that hangs is given up, and its task is tried again elsewhere", async (scenario) => {
  const id = await scenario.start(
    await scenario.workflow(
      oneStep(task([{ deaf_gate: "never" }, { output: "done" }], {
        timeout_seconds: 0.3,
        retry: { base_delay_seconds: 0 },
      })),
    ),
  );

  const job = await scenario.ended(id);
  assert.deepEqual([job["status"], job["final_result"]], ["completed", "done"]);
  const steps = await scenario.steps(id);
  assert.deepEqual(steps.map(({ error }) => error?.code ?? null), ["timeout", null]);
});

test("an executor process that is frozen is given up, and its task is tried again", async (scenario) => {
  const gate = crypto.randomUUID();
  const id = await scenario.start(
    await scenario.workflow(
      oneStep(task([{ gate }, { output: "done" }], {
        timeout_seconds: 1,
        retry: { base_delay_seconds: 0 },
      })),
    ),
  );
  await scenario.delivered(id);
  const frozen = await scenario.pid(EXECUTOR);
  Deno.kill(frozen, "SIGSTOP");
  try {
    await scenario.retire(EXECUTOR);
    const job = await scenario.ended(id);
    assert.deepEqual([job["status"], job["final_result"]], ["completed", "done"]);
  } finally {
    scenario.openGate(gate);
    Deno.kill(frozen, "SIGCONT");
  }
});
