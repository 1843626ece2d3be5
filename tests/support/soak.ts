// What tests do to a stack for a while: start jobs all the time, and kill at random.

import { openDatabase, type TestDatabase } from "./database.ts";
import { type Scenario } from "./scenario.ts";
import { control } from "./stack.ts";
import { until } from "./until.ts";

/** A generator of numbers in [0, 1) that can be run again (mulberry32). */
export function randomOf(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Deliveries beyond the first of an attempt that no event tells of: a commit comes before each. */
export async function unannouncedDeliveries(
  scenario: Scenario,
  db: TestDatabase,
  ids: readonly string[],
) {
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
export async function startJobs(
  scenario: Scenario,
  workflows: readonly string[],
  end: number,
): Promise<string[]> {
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

/** Kills orchestrators, executors and Postgres; answers what was killed. */
export async function killAtRandom(scenario: Scenario, random: () => number, end: number) {
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
