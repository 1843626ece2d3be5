import assert from "node:assert/strict";
import { findViolations } from "../support/invariants.ts";
import { oneStep, type Scenario, scenarios, task } from "../support/scenario.ts";

const test = await scenarios();

const NO_RETRY = { retry: { max_retries: 0 } };
const fails = (code = "shop.closed") => ({ fail: { code, message: "closed" } });

async function pause(scenario: Scenario, id: string): Promise<void> {
  await scenario.db`select pause_job(${id}, 'for a while')`;
}

async function resume(scenario: Scenario, id: string): Promise<void> {
  await scenario.db`select resume_job(${id})`;
}

async function retry(scenario: Scenario, id: string, options: {
  from?: string;
  input?: unknown;
  failedItemsOnly?: boolean;
} = {}): Promise<void> {
  const { from = null, input = null, failedItemsOnly = true } = options;
  await scenario.db`select retry_job(${id}, ${from}, ${
    input === null ? null : scenario.db.json(input as never)
  }, ${failedItemsOnly})`;
}

test("pause lets what is out finish, and begins nothing new until resume", async (scenario) => {
  const gate = crypto.randomUUID();
  const workflow = await scenario.workflow({
    start_step: "first",
    steps: { first: task({ gate }, { next_step: "second" }), second: task({ output: "done" }) },
  });
  const id = await scenario.start(workflow);
  await scenario.delivered(id);
  await pause(scenario, id);
  await scenario.when(id, (job) => job["state"].paused === true);
  scenario.openGate(gate);
  const paused = await scenario.reaches(id, "paused");
  assert.equal(paused["current_step_id"], "second");
  assert.equal(paused["next_run_at"], null);
  assert.deepEqual(scenario.ledger(id, "delivered").map(({ step_id }) => step_id), ["first"]);

  await resume(scenario, id);
  const job = await scenario.ended(id);
  assert.equal(job["final_result"], "done");
  assert.deepEqual(await findViolations(scenario.db, workflow), []);
});

for (
  const [what, step] of Object.entries({
    "a timer": { type: "wait", seconds: 0.2 },
    "an event": { type: "wait_for_event", event: "go" },
    "a person": { type: "approval" },
    "a callback": task({ accept: true }, { callback: true, timeout_seconds: 3600 }),
  })
) {
  test(`a job that waits for ${what} can be paused and resumed`, async (scenario) => {
    const id = await scenario.start(
      await scenario.workflow({
        start_step: "wait",
        steps: { wait: { ...step, next_step: "after" }, after: task({ output: "done" }) },
      }),
    );
    await scenario.when(id, (job) => job["status"] === "waiting" || job["completed_at"] !== null);
    await pause(scenario, id).catch((error) => assert.equal(error.code, "MR007"));
    if (what !== "a timer") await scenario.reaches(id, "paused");
    await answer(scenario, id, what);
    if (what !== "a timer") {
      await scenario.when(id, (job) => job["current_step_id"] === "after");
      assert.equal((await scenario.reaches(id, "paused"))["status"], "paused");
    }
    await resume(scenario, id).catch((error) => assert.equal(error.code, "MR007"));
    assert.equal((await scenario.ended(id))["final_result"], "done");
  });
}

/** Does what a waiting job waits for. */
async function answer(scenario: Scenario, id: string, what: string): Promise<void> {
  if (what === "an event") await scenario.db`select signal_job(${id}, 'go', '{}')`;
  if (what === "a person") {
    await scenario.db`select decide_approval(a.id, 'approve') from approvals a
      where a.job_id = ${id}`;
  }
  if (what === "a callback") {
    const [delivery] = await scenario.delivered(id);
    await scenario.db`select complete_step(${delivery?.token ?? ""}, '1')`;
  }
}

test("pause and resume reach the children of a job", async (scenario) => {
  const gate = crypto.randomUUID();
  const inner = {
    start_step: "held",
    steps: { held: task({ gate }, { next_step: "after" }), after: task({ output: 1 }) },
  };
  const id = await scenario.start(
    await scenario.workflow(oneStep({ type: "parallel", branches: { a: inner, b: inner } })),
  );
  await scenario.when(id, (job) => job["open_children"] === 2);
  const children = await scenario.db`select id from jobs where parent_job_id = ${id}`;
  for (const child of children) await scenario.delivered(child["id"]);
  await pause(scenario, id);
  for (const child of children) {
    await scenario.when(child["id"], (job) => job["state"].paused === true);
  }
  scenario.openGate(gate);
  for (const child of children) await scenario.reaches(child["id"], "paused");
  await scenario.reaches(id, "paused");

  await resume(scenario, id);
  assert.deepEqual((await scenario.ended(id))["final_result"], { a: 1, b: 1 });
});

test("cancel ends a paused job", async (scenario) => {
  const id = await scenario.start(await scenario.workflow(oneStep({ type: "wait", seconds: 999 })));
  await scenario.reaches(id, "waiting");
  await pause(scenario, id);
  await scenario.reaches(id, "paused");
  await scenario.cancel(id);
  assert.equal((await scenario.ended(id))["status"], "cancelled");
});

test("retry runs a failed job once more from its failed step, and keeps what came before", async (scenario) => {
  const workflow = await scenario.workflow({
    start_step: "first",
    steps: {
      first: task({ output: "kept" }, { next_step: "second" }),
      second: task([fails(), { output: "mended" }], { ...NO_RETRY, next_step: "third" }),
      third: { type: "transform", output: ["$.first.output", "$.second.output"] },
    },
  });
  const id = await scenario.start(workflow);
  assert.equal((await scenario.ended(id))["status"], "failed");
  await retry(scenario, id);
  const job = await scenario.when(id, (job) => job["status"] === "completed");
  assert.deepEqual(job["final_result"], ["kept", "mended"]);
  assert.deepEqual([job["run_number"], job["error"], job["error_message"]], [2, null, null]);
  assert.deepEqual(
    (await scenario.steps(id)).map(({ step_id, visit, status }) => [step_id, visit, status]),
    [["first", 1, "completed"], ["second", 1, "failed"], ["second", 2, "completed"], [
      "third",
      1,
      "completed",
    ]],
  );
  const history = job["state_history"].map(({ to }: { to: string }) => to);
  assert.ok(history.includes("failed") && history.at(-1) === "completed", `${history}`);
  assert.deepEqual(await findViolations(scenario.db, workflow), []);
});

test("retry from a named step with other input", async (scenario) => {
  const id = await scenario.start(
    await scenario.workflow({
      start_step: "first",
      steps: {
        first: task({}, { input_map: "$.job_input.n", next_step: "second" }),
        second: task({}, {
          input_map: ["$.first.output", "$.job_input.n"],
          next_step: "check",
        }),
        check: {
          type: "choice",
          choices: [{ when: "job_input.n > 1", next_step: "good" }],
        },
        good: { type: "transform", output: "$.second.output" },
      },
    }),
    { n: 1 },
  );
  assert.equal((await scenario.ended(id))["error"].code, "no_choice_matched");
  await retry(scenario, id, { from: "second", input: { n: 2 } });
  const job = await scenario.when(id, (job) => job["status"] === "completed");
  assert.deepEqual(job["final_result"], [1, 2]);
  assert.deepEqual(job["input_data"], { n: 2 });
});

test("retry of a map runs the failed items alone", async (scenario) => {
  const workflow = await scenario.workflow({
    start_step: "each",
    steps: {
      each: {
        type: "map",
        items: [0, 1, 2],
        tolerated_failures: 0,
        max_concurrency: 1,
        branch: {
          start_step: "pick",
          steps: {
            pick: {
              type: "choice",
              choices: [{ when: "index = 1", next_step: "bad" }],
              default: "good",
            },
            bad: task([fails(), { output: "mended" }], NO_RETRY),
            good: task({ output: "good" }),
          },
        },
      },
    },
  });
  const id = await scenario.start(workflow);
  const failed = await scenario.ended(id);
  assert.deepEqual([failed["status"], failed["error"].code], ["failed", "children_failed"]);
  await retry(scenario, id);
  const job = await scenario.when(id, (job) => job["status"] === "completed");
  assert.deepEqual(job["final_result"], ["good", "mended", "good"]);
  const children = await scenario.db`select id, run_number from jobs where parent_job_id = ${id}
    order by item_index`;
  assert.deepEqual(children.map(({ run_number }) => run_number), [1, 2, 2]);
  const [first] = children;
  assert.equal(scenario.ledger(first?.["id"], "delivered").length, 1, "the first ran once");
  assert.deepEqual(await findViolations(scenario.db, workflow), []);
});

test("retry of a map with all its items starts them anew", async (scenario) => {
  const id = await scenario.start(
    await scenario.workflow({
      start_step: "each",
      steps: {
        each: {
          type: "map",
          items: "$.job_input.items",
          branch: { start_step: "work", steps: { work: task([fails(), {}], NO_RETRY) } },
        },
      },
    }),
    { items: ["a"] },
  );
  await scenario.ended(id);
  // The new child is another job: its executor fails once more.
  await retry(scenario, id, { failedItemsOnly: false });
  await scenario.when(id, (job) => job["run_number"] === 2 && job["completed_at"] !== null);
  const children = await scenario.db`select parent_visit, status from jobs
    where parent_job_id = ${id} order by parent_visit`;
  assert.deepEqual(children.map(({ parent_visit }) => parent_visit), [1, 2]);
  await retry(scenario, id);
  const job = await scenario.when(id, (job) => job["status"] === "completed");
  assert.deepEqual(job["final_result"], ["a"]);
});

test("retry of a cancelled job goes on where it stood, its children too", async (scenario) => {
  const gate = crypto.randomUUID();
  const workflow = await scenario.workflow(oneStep({
    type: "parallel",
    branches: {
      quick: { start_step: "work", steps: { work: task({ output: "q" }) } },
      held: { start_step: "work", steps: { work: task({ gate, output: "h" }) } },
    },
  }));
  const id = await scenario.start(workflow);
  await scenario.when(id, (job) => job["open_children"] === 1);
  await scenario.cancel(id);
  await scenario.ended(id);
  await retry(scenario, id);
  scenario.openGate(gate);
  const job = await scenario.when(id, (job) => job["status"] === "completed");
  assert.deepEqual(job["final_result"], { quick: "q", held: "h" });
  assert.deepEqual(await findViolations(scenario.db, workflow), []);
});

test("bulk retries what a filter finds", async (scenario) => {
  const workflow = await scenario.workflow(oneStep(task([fails(), { output: "ok" }], NO_RETRY)));
  const ids: string[] = [];
  for (let n = 0; n < 3; n++) ids.push(await scenario.start(workflow));
  for (const id of ids) await scenario.ended(id);
  const filter = scenario.db.json({ workflow_id: workflow, status: "failed" });
  const [dry] = await scenario.db`select bulk_jobs('retry', ${filter}, p_dry_run := true) as reply`;
  assert.deepEqual([dry?.["reply"].matched, dry?.["reply"].affected], [3, 0]);
  const [wet] = await scenario.db`select bulk_jobs('retry', ${filter}) as reply`;
  assert.equal(wet?.["reply"].affected, 3);
  for (const id of ids) await scenario.when(id, (job) => job["status"] === "completed");
});

test("a scheduled job that is resumed still starts at its run_at", async (scenario) => {
  const workflow = await scenario.workflow(oneStep(task()));
  const id = await scenario.start(workflow, {}, { run_at: "2999-01-01T00:00:00Z" });
  await resume(scenario, id);
  await scenario.when(id, (job) => Number(job["version"]) >= 3 && job["lease_token"] === null);
  const job = await scenario.job(id);
  assert.equal(job["status"], "pending");
  assert.equal(job["next_run_at"].toISOString(), "2999-01-01T00:00:00.000Z");
});
