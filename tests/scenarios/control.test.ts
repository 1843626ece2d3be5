import assert from "node:assert/strict";
import { post } from "../support/call.ts";
import { oneStep, type Scenario, scenarios, task } from "../support/scenario.ts";
import { createUser } from "../support/user.ts";

const test = await scenarios();

const HOLD = task({ gate: "never" });
const BROKEN = task({ fail: { code: "network", message: "no" } }, {
  retry: { base_delay_seconds: 3600, jitter: "none" },
});
const CALLBACK = task({ accept: true }, { callback: true, timeout_seconds: 3600 });

/** Brings a job to a state in which it waits for something. */
const WAITS: Record<string, (scenario: Scenario) => Promise<string>> = {
  "is pending": async (scenario) => {
    const workflow = await scenario.workflow(oneStep(task()));
    return await scenario.start(workflow, {}, { run_at: "2999-01-01T00:00:00Z" });
  },
  "has a task out": async (scenario) => {
    const id = await scenario.start(await scenario.workflow(oneStep(HOLD)));
    await scenario.delivered(id);
    return id;
  },
  "awaits a retry": async (scenario) => {
    const id = await scenario.start(await scenario.workflow(oneStep(BROKEN)));
    await scenario.reaches(id, "awaiting_retry");
    return id;
  },
  "waits for a callback": async (scenario) => {
    const id = await scenario.start(await scenario.workflow(oneStep(CALLBACK)));
    await scenario.reaches(id, "waiting");
    return id;
  },
};

for (const [state, bring] of Object.entries(WAITS)) {
  test(`cancel ends a job that ${state}`, async (scenario) => {
    const id = await bring(scenario);

    await scenario.cancel(id, "changed my mind");
    await scenario.kick("message");
    const job = await scenario.ended(id);

    assert.deepEqual([job["status"], job["error_message"]], ["cancelled", "changed my mind"]);
    assert.equal(job["error"].code, "cancelled");
    assert.equal(job["final_result"], null);
    const events = await scenario.events(id);
    assert.ok(events.some(({ type }) => type === "cancel_requested"));
    const [{ count } = { count: "?" }] = await scenario.db`
      select count(*) from job_inbox where job_id = ${id}`;
    assert.equal(count, "0");
    await assert.rejects(scenario.cancel(id), { code: "MR007" });
  });
}

test("cancel stops what is out, and its result is dropped", async (scenario) => {
  const id = await scenario.start(
    await scenario.workflow({
      start_step: "first",
      steps: {
        first: task({ deaf_gate: `deaf_${crypto.randomUUID()}`, output: "too late" }, {
          next_step: "second",
        }),
        second: task(),
      },
    }),
  );
  const [delivery] = await scenario.delivered(id);
  await scenario.cancel(id);
  await scenario.kick("message");

  const job = await scenario.ended(id);
  await scenario.noted(id, "aborted");
  const [script] = delivery?.config["do"] as { deaf_gate: string }[];
  scenario.openGate(script?.deaf_gate ?? "");
  await scenario.noted(id, "finished");

  assert.equal(job["status"], "cancelled");
  const steps = await scenario.steps(id);
  assert.deepEqual(steps.map(({ step_id, status }) => [step_id, status]), [["first", "cancelled"]]);
  assert.deepEqual(await scenario.job(id), job, "nothing changes a job that has ended");
});

test("a user cancels a job over HTTP while its task is out", async (scenario) => {
  const user = await createUser(scenario.stack);
  const workflow_id = await scenario.workflow(oneStep(HOLD));
  const started = await post(scenario.stack, "start-workflow", { workflow_id }, user);
  assert.equal(started.status, 201);
  await scenario.delivered(started.body.job_id);

  const answer = await post(scenario.stack, `jobs/${started.body.job_id}/cancel`, {}, user);

  assert.equal(answer.status, 202);
  assert.equal((await scenario.ended(started.body.job_id))["status"], "cancelled");
});

test("a job starts at its run_at and not before", async (scenario) => {
  const workflow = await scenario.workflow(oneStep(task()));
  const [{ at } = { at: new Date() }] = await scenario.db`
    select millrace.now() + interval '0.7 seconds' as at`;

  const id = await scenario.start(workflow, {}, { run_at: at.toISOString() });
  const job = await scenario.ended(id);

  assert.equal(job["status"], "completed");
  assert.ok(job["started_at"] >= job["run_at"]);
  assert.ok(job["created_at"] < job["run_at"]);
});

test("a plain insert starts a job", async (scenario) => {
  const workflow = await scenario.workflow(oneStep(task()));

  const [row] = await scenario.db`insert into jobs (user_id, workflow_id, input_data)
    values (${scenario.userId}, ${workflow}, '{"n": 1}') returning id`;

  const job = await scenario.ended(row?.["id"]);
  assert.deepEqual([job["status"], job["final_result"]], ["completed", { n: 1 }]);
});

test("a job of a user with an unusual id runs", async (scenario) => {
  const id = "00000000-0000-0000-0000-00000000beef";
  await scenario.db`insert into auth.users (id, email) values (${id}, 'beef@example.com')
    on conflict do nothing`;

  const job = await scenario.run(oneStep(task()), {}, { user_id: id });

  assert.equal(job["status"], "completed");
});
