import assert from "node:assert/strict";
import { findViolations } from "../support/invariants.ts";
import { faultScenarios, task } from "../support/scenario.ts";
import { killAtRandom, randomOf, startJobs, unannouncedDeliveries } from "../support/soak.ts";
import { openDatabase } from "../support/database.ts";
import { until } from "../support/until.ts";

const test = await faultScenarios({ MAX_REDELIVERIES: "100" });

const SOAK_MS = Number(Deno.env.get("MILLRACE_TEST_SOAK_SECONDS") ?? 10) * 1000;
const RETRY = { max_retries: 100, base_delay_seconds: 0.05, strategy: "fixed" };

const WORKFLOWS = {
  chain: {
    start_step: "one",
    retry: RETRY,
    steps: {
      one: task({ sleep_ms: 20 }, { next_step: "two" }),
      two: task({}, { when: "false", next_step: "three" }),
      three: task({ sleep_ms: 100 }, { next_step: "four" }),
      four: task({ output: "done" }),
    },
  },
  retried: {
    start_step: "one",
    retry: RETRY,
    steps: {
      one: task([{ fail: { code: "network", message: "no" } }, { sleep_ms: 50 }], {
        next_step: "two",
      }),
      two: task({ fail: { code: "shop.closed", message: "no" } }, {
        on_error: [{ errors: ["shop.*"], next_step: "three" }],
      }),
      three: task({ output: "done" }),
    },
  },
  called_back: {
    start_step: "one",
    retry: RETRY,
    steps: {
      one: task({ complete: { by: "callback" }, accept: true }, {
        ...{ callback: true, timeout_seconds: 30, next_step: "two" },
      }),
      two: task({ sleep_ms: 30, output: "done" }),
    },
  },
};

test("jobs under random kills all end, and nothing is recorded twice", async (scenario) => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const random = randomOf(seed);
  const workflows = await Promise.all(
    Object.values(WORKFLOWS).map((definition) => scenario.workflow(definition)),
  );
  const end = performance.now() + SOAK_MS;
  const [ids, kills] = await Promise.all([
    startJobs(scenario, workflows, end),
    killAtRandom(scenario, random, end),
  ]);

  await using db = openDatabase(scenario.stack);
  const jobs = await until(async () => {
    const jobs = await db`select id, status, final_result, error, state from jobs
      where id = any (${ids}) and (status <> 'completed' or final_result <> '"done"')`;
    return { done: jobs.length === 0, value: jobs };
  }, 40_000).catch((error) => {
    throw new Error(`seed ${seed}, ${kills.length} kills`, { cause: error });
  });

  assert.deepEqual([...jobs], []);
  assert.deepEqual(await findViolations(db), [], `seed ${seed}`);
  assert.deepEqual(await unannouncedDeliveries(scenario, db, ids), [], `seed ${seed}`);
});
