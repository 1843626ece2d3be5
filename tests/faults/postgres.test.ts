import assert from "node:assert/strict";
import { findViolations } from "../support/invariants.ts";
import { faultScenarios, insertUser, task } from "../support/scenario.ts";
import { control } from "../support/stack.ts";
import { openDatabase } from "../support/database.ts";
import { until } from "../support/until.ts";

const test = await faultScenarios();

for (const mode of ["fast", "immediate"]) {
  test(`Postgres restarted (${mode}) while jobs run loses none`, async (scenario) => {
    const gate = crypto.randomUUID();
    const step = (keys: Record<string, unknown>) => task({ sleep_ms: 30 }, keys);
    const workflow = await scenario.workflow({
      start_step: "one",
      steps: {
        one: step({ next_step: "two" }),
        two: task({ gate }, { next_step: "three" }),
        three: step({ next_step: "four" }),
        four: step({}),
      },
    });
    const rows = await scenario.db`insert into jobs (user_id, workflow_id)
      select ${scenario.userId}, ${workflow} from generate_series(1, 40) returning id`;
    const ids = rows.map((row) => row["id"]);
    for (const id of ids.slice(0, 20)) await scenario.delivered(id, 2);

    const restart = control(scenario.stack, "restartPostgres", mode);
    scenario.openGate(gate);
    await restart;

    await using db = openDatabase(scenario.stack);
    const jobs = await until(async () => {
      const jobs = await db`select id, status, error from jobs where workflow_id = ${workflow}`;
      return { done: jobs.every((job) => job["status"] === "completed"), value: jobs };
    });
    assert.equal(jobs.length, 40);
    assert.deepEqual(await findViolations(db, workflow), []);
    for (const id of ids) {
      const keys = scenario.ledger(id, "delivered").map((line) => line.idempotency_key);
      assert.equal(new Set(keys).size, 4);
      assert.ok(keys.length <= 5, `${keys.length - 4} extra deliveries for one restart`);
    }
  });
}

test("after Postgres has crashed, jobs start at once again", async (scenario) => {
  const workflow = await scenario.workflow({ start_step: "one", steps: { one: task() } });
  await control(scenario.stack, "restartPostgres", "immediate");
  await using db = openDatabase(scenario.stack);
  const user = await insertUser(db);

  const [row] = await db`insert into jobs (user_id, workflow_id) values (${user}, ${workflow})
    returning id`;

  await until(async () => {
    const [job] = await db`select status from jobs where id = ${row?.["id"]}`;
    return { done: job?.["status"] === "completed", value: job };
  });
});
