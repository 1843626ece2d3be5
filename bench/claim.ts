import postgres from "postgres";
import { type Bench, type Figure, percentile, queueJobs, round } from "./support.ts";

const DUE = 10_000;
const FINISHED = 1_000_000;
const CLAIM = 100;
const ROUNDS = 41;

/** How `claim_jobs` fares beside a million finished jobs, with and without fresh statistics. */
export async function measureClaim(
  bench: Bench,
  progress: (text: string) => void,
): Promise<{ figures: Figure[]; plan: string }> {
  const { sql } = bench;
  // Neither a clean-up in the background nor the log of the load is to be measured.
  await sql`alter table public.jobs set (autovacuum_enabled = false)`;
  await queueJobs(bench, DUE);
  await sql`checkpoint`;
  const alone = await claimMs(bench);
  progress(`claim: filling in ${FINISHED.toLocaleString("en")} finished jobs`);
  // Anew, as every claim that was rolled back has left dead rows behind.
  await sql`truncate public.jobs cascade`;
  await addFinished(bench);
  await queueJobs(bench, DUE);
  await sql`checkpoint`;
  const stale = await claimMs(bench);
  await sql`vacuum (analyze) public.jobs`;
  const fresh = await claimMs(bench);
  const plan = await explain(bench);
  const name = `claim of ${CLAIM} beside ${DUE.toLocaleString("en")} due`;
  return {
    plan,
    figures: [
      { name: `${name}, no finished job`, value: round(alone), unit: "ms" },
      { name: `${name}, 1 million finished`, value: round(stale), unit: "ms" },
      {
        name: "… in claims without them",
        value: round(stale / alone),
        unit: "×",
        atMost: 1.5,
        note: "right after the insert",
      },
      {
        name: "… in claims without them",
        value: round(fresh / alone),
        unit: "×",
        atMost: 1.5,
        note: "after analyze",
      },
    ],
  };
}

/** Median time of a claim, each rolled back so that the next finds the same jobs. */
async function claimMs({ sql }: Bench): Promise<number> {
  const times: number[] = [];
  for (let n = -5; n < ROUNDS; n++) {
    const startedAt = performance.now();
    let claimedMs = NaN;
    await sql.begin(async (tx) => {
      const [row] = await tx`
        select json_array_length(public.claim_jobs(gen_random_uuid(), ${CLAIM})) as claimed`;
      claimedMs = performance.now() - startedAt;
      if (row?.["claimed"] !== CLAIM) throw new Error(`Only ${row?.["claimed"]} jobs were claimed`);
      throw new Rollback();
    }).catch((error: unknown) => {
      if (!(error instanceof Rollback)) throw error;
    });
    if (n >= 0) times.push(claimedMs);
  }
  return percentile(times, 0.5);
}

class Rollback extends Error {}

async function addFinished({ sql, userId }: Bench): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`set local session_replication_role = replica`; // no triggers: a bulk load
    await tx`
      insert into public.jobs (user_id, workflow_id, workflow_version, status, input_data,
        step_data, final_result, created_at, started_at, completed_at)
      select ${userId}, 'bench_echo', 1, 'completed', '{"payload": 1}', '{}', '1',
        now() - n * interval '1 second', now() - n * interval '1 second',
        now() - n * interval '1 second' + interval '100 milliseconds'
      from generate_series(1, ${FINISHED}::integer) as n`;
  });
}

/** The plan of the statement that finds the due jobs, as the claim itself runs it. */
async function explain({ stack }: Bench): Promise<string> {
  const plans: string[] = [];
  const sql = postgres(stack.superuserUrl, {
    max: 1,
    onnotice: ({ message = "" }) => plans.push(message),
  });
  try {
    await sql.begin(async (tx) => {
      await tx`load 'auto_explain'`;
      for (const [name, value] of Object.entries(EXPLAIN)) {
        await tx`select set_config(${name}, ${value}, true)`;
      }
      await tx`select millrace.due_jobs(${CLAIM}, millrace.now())`;
      throw new Rollback();
    });
  } catch (error) {
    if (!(error instanceof Rollback)) throw error;
  } finally {
    await sql.end();
  }
  const plan = plans.find((text) => text.includes("generate_series(9, 0, -1)"));
  if (plan === undefined) throw new Error("The plan of the claim was not told");
  return plan.slice(plan.search(/^Result|^Limit|^\s*->|InitPlan/m)).trimEnd();
}

const EXPLAIN = {
  "auto_explain.log_min_duration": "0",
  "auto_explain.log_nested_statements": "on",
  "auto_explain.log_analyze": "on",
  "auto_explain.log_buffers": "on",
  "auto_explain.log_timing": "off",
  "auto_explain.log_level": "notice",
};
