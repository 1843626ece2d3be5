import assert from "node:assert/strict";
import { openDatabase, type TestDatabase } from "../support/database.ts";
import { findViolations } from "../support/invariants.ts";
import { faultScenarios, type Scenario, task } from "../support/scenario.ts";
import { killAtRandom, randomOf, startJobs, unannouncedDeliveries } from "../support/soak.ts";
import { control } from "../support/stack.ts";
import { until } from "../support/until.ts";

const test = await faultScenarios({ MAX_REDELIVERIES: "100" });

const SOAK_MS = Number(Deno.env.get("MILLRACE_TEST_SOAK_SECONDS") ?? 10) * 1000;
const SEED = Number(Deno.env.get("MILLRACE_TEST_SEED") ?? 20_260_101);
const RETRY = { max_retries: 100, base_delay_seconds: 0.05, strategy: "fixed" };

const work = (action = {}) => task(action, { retry: RETRY });
const branch = (action = {}) => ({ start_step: "work", steps: { work: work(action) } });
const done = { type: "transform", output: "done" };

/** Workflows of all kinds, each of which ends with "done". */
function definitions(inner: string): Record<string, unknown>[] {
  return [
    {
      start_step: "fan",
      steps: {
        fan: {
          type: "parallel",
          branches: { left: branch({ sleep_ms: 30 }), right: branch({ sleep_ms: 60 }) },
          next_step: "done",
        },
        done,
      },
    },
    {
      start_step: "each",
      steps: {
        each: {
          type: "map",
          items: [1, 2, 3, 4, 5, 6],
          max_concurrency: 2,
          branch: {
            start_step: "work",
            steps: {
              work: work({ sleep_ms: 10 }),
            },
          },
          next_step: "done",
        },
        done,
      },
      concurrency: { max_running: 3 },
    },
    {
      start_step: "call",
      steps: {
        call: { type: "workflow", workflow_id: inner, next_step: "nap" },
        nap: { type: "wait", seconds: 0.1, next_step: "hear" },
        hear: { type: "wait_for_event", event: "soak", key: "$.job.id", next_step: "ask" },
        ask: { type: "approval", next_step: "done" },
        done,
      },
    },
    {
      start_step: "try",
      steps: {
        try: {
          type: "parallel",
          branches: {
            bad: { start_step: "stop", steps: { stop: { type: "fail", message: "no" } } },
            long: { start_step: "nap", steps: { nap: { type: "wait", seconds: 3600 } } },
          },
          on_error: "done",
        },
        done,
      },
    },
  ];
}

test("mixed workflows under random kills all end, each step once", async (scenario) => {
  const random = randomOf(SEED);
  const inner = await scenario.workflow({
    start_step: "one",
    steps: { one: work({ sleep_ms: 20 }) },
  });
  const workflows: string[] = [];
  for (const definition of definitions(inner)) workflows.push(await scenario.workflow(definition));
  const end = performance.now() + SOAK_MS;
  const over = new AbortController();
  const answering = answer(scenario, over.signal);
  const [ids, kills] = await Promise.all([
    startJobs(scenario, workflows, end),
    killAtRandom(scenario, random, end),
    restartTwice(scenario),
  ]);

  await using db = openDatabase(scenario.stack);
  const what = `seed ${SEED}, ${kills.length} kills`;
  try {
    await until(async () => {
      const open = await db`select id, status, current_step_id, final_result, error, state
        from jobs where id = any (${ids})
          and (status <> 'completed' or final_result <> '"done"') limit 5`;
      return { done: open.length === 0, value: open };
    }, 60_000);
  } catch (error) {
    throw new Error(what, { cause: error });
  } finally {
    over.abort();
    await answering;
  }

  assert.deepEqual(await findViolations(db), [], what);
  const all = await db`select id from jobs`;
  assert.deepEqual(await unannouncedDeliveries(scenario, db, all.map(({ id }) => id)), [], what);
});

async function restartTwice(scenario: Scenario): Promise<void> {
  for (const mode of ["fast", "immediate"] as const) {
    await new Promise((resolve) => setTimeout(resolve, SOAK_MS / 3));
    await control(scenario.stack, "restartPostgres", mode);
  }
}

/** Says what waiting jobs wait for, again and again: what is lost with a restart is said anew. */
async function answer(scenario: Scenario, signal: AbortSignal): Promise<void> {
  await using db = openDatabase(scenario.stack);
  while (!signal.aborted) {
    await answerOnce(db, scenario.userId).catch(() => {}); // Postgres is away
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function answerOnce(db: TestDatabase, userId: string): Promise<void> {
  await db`select emit_event('soak', '{}', w.key, ${userId}) from event_waits w
    where w.event = 'soak'`;
  await db`select decide_approval(a.id, 'approve') from approvals a where a.status = 'open'`;
}
