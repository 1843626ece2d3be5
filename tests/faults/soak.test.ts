import assert from "node:assert/strict";
import { findViolations } from "../support/invariants.ts";
import { faultScenarios, type Scenario, task } from "../support/scenario.ts";
import { control } from "../support/stack.ts";
import { openDatabase, type TestDatabase } from "../support/database.ts";
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

/** A generator of numbers in [0, 1) that can be run again (mulberry32). */
function randomOf(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

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

/** Deliveries beyond the first of an attempt that no event tells of: a commit comes before each. */
async function unannouncedDeliveries(scenario: Scenario, db: TestDatabase, ids: string[]) {
  const announced = new Map<string, number>();
  const events = await db`select job_id, step_id, data from job_events
    where type = 'redelivered' and job_id = any (${ids})`;
  for (const { job_id, step_id, data } of events) {
    const key = `${job_id}:${step_id}:${data.visit}:${data.attempt}`;
    announced.set(key, (announced.get(key) ?? 0) + 1);
  }
  return ids.flatMap((id) => {
    const lines = scenario.ledger(id, "delivered");
    return [...Map.groupBy(lines, (line) => line.idempotency_key)]
      .filter(([key, all]) => all.length > 1 + (announced.get(key) ?? 0))
      .map(([key, all]) => ({ key, deliveries: all.length, announced: announced.get(key) }));
  });
}

/** Starts jobs until it is time to end; each call is repeated until it is through. */
async function startJobs(scenario: Scenario, workflows: string[], end: number): Promise<string[]> {
  const ids: string[] = [];
  await using db = openDatabase(scenario.stack);
  while (performance.now() < end) {
    const key = crypto.randomUUID();
    for (const workflow of workflows) {
      ids.push(
        await until(async () => {
          try {
            const [row] = await db`select start_job(${workflow}, p_user_id := ${scenario.userId},
              p_idempotency_key := ${workflow + key}) ->> 'job_id' as id`;
            return { done: true, value: String(row?.["id"]) };
          } catch (error) {
            return { done: false, value: String(error) };
          }
        }),
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
  return ids;
}

async function killAtRandom(scenario: Scenario, random: () => number, end: number) {
  const kills: string[] = [];
  while (performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 100 + 900 * random()));
    const kind = random();
    if (kind < 0.5) await scenario.kill("workflow-orchestrator");
    else if (kind < 0.85) await scenario.kill("execute-test");
    else await control(scenario.stack, "restartPostgres", random() < 0.5 ? "fast" : "immediate");
    kills.push(kind < 0.5 ? "orchestrator" : kind < 0.85 ? "executor" : "postgres");
  }
  return kills;
}
