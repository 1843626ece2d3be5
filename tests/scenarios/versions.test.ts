import assert from "node:assert/strict";
import { oneStep, scenarios, task } from "../support/scenario.ts";

const test = await scenarios();

test("a job keeps the definition that it started with", async (scenario) => {
  const gate = `version_${crypto.randomUUID()}`;
  const definition = (said: string) => ({
    start_step: "wait",
    steps: { wait: task({ gate }, { next_step: "say" }), say: task({ output: said }) },
  });
  const workflow = await scenario.workflow(definition("old"));
  const before = await scenario.start(workflow);
  await scenario.delivered(before);

  await scenario.db`update workflows set definition = ${
    scenario.db.json(definition("new"))
  } where id = ${workflow}`;
  const after = await scenario.start(workflow);
  await scenario.delivered(after);
  scenario.openGate(gate);

  const jobs = [await scenario.ended(before), await scenario.ended(after)];
  assert.deepEqual(jobs.map((job) => [job["workflow_version"], job["final_result"]]), [
    [1, "old"],
    [2, "new"],
  ]);
});

test("a job that was pinned before its definition lost the step goes on", async (scenario) => {
  const workflow = await scenario.workflow({
    start_step: "one",
    steps: { one: task({ accept: true }, { callback: true, next_step: "two" }), two: task() },
  });
  const id = await scenario.start(workflow);
  await scenario.reaches(id, "waiting");

  await scenario.db`update workflows set definition = ${
    scenario.db.json(oneStep(task()))
  } where id = ${workflow}`;
  const token = scenario.ledger(id).at(0)?.token ?? "";
  await scenario.db`select complete_step(${token}, '{"n": 1}')`;

  const job = await scenario.ended(id);
  assert.deepEqual([job["status"], job["final_result"]], ["completed", { n: 1 }]);
});

test("a transformer's new config is used by the next task", async (scenario) => {
  const id = await scenario.transformer({ config: { do: [{ output: "old" }] } });
  const workflow = await scenario.workflow(oneStep({ transformer_id: id }));
  assert.equal((await scenario.ended(await scenario.start(workflow)))["final_result"], "old");

  for (const said of ["new", "newer"]) {
    await scenario.db`update transformers set config = ${
      scenario.db.json({ do: [{ output: said }] })
    } where id = ${id}`;

    assert.equal((await scenario.ended(await scenario.start(workflow)))["final_result"], said);
  }
});

test("a step's config is merged over its transformer's", async (scenario) => {
  const id = await scenario.transformer({ config: { a: 1, b: { c: 2 }, do: [{}] } });

  const job = await scenario.run(oneStep({ transformer_id: id, config: { b: 3 } }));

  assert.deepEqual(scenario.ledger(job["id"])[0]?.config, { a: 1, b: 3, do: [{}] });
});
