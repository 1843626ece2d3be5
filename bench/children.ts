import { type Bench, type Figure, percentile, poll, round, runOrchestrator } from "./support.ts";

const ITEMS = 10_000;
const JOBS = 100;
const ROUNDS = 3;

const work = { transformer_id: "echo-transformer", input_map: { data: 1 } };
const branch = { start_step: "work", steps: { work } };

const WORKFLOWS = {
  bench_one: branch,
  bench_map: {
    start_step: "each",
    steps: {
      each: {
        type: "map",
        items: { $expr: `[1..${ITEMS}]` },
        max_concurrency: 0,
        transformer_id: work.transformer_id,
        input_map: work.input_map,
      },
    },
  },
  bench_fan: {
    start_step: "fan",
    steps: { fan: { type: "parallel", branches: { left: branch, right: branch } } },
  },
};

/** What children cost beside jobs of one step: the items of a map, and a join of two branches. */
export async function measureChildren(
  bench: Bench,
  progress: (text: string) => void,
): Promise<Figure[]> {
  const { sql } = bench;
  for (const [id, definition] of Object.entries(WORKFLOWS)) {
    await sql`insert into public.workflows (id, definition)
      values (${id}, ${sql.json(definition as never)})`;
  }
  return [...await measureMap(bench, progress), ...await measureJoin(bench, progress)];
}

/** Rounds that alternate, as the machine is not ours alone. */
async function measureMap(bench: Bench, progress: (text: string) => void): Promise<Figure[]> {
  const single: number[] = [];
  const mapped: number[] = [];
  await queue(bench, "bench_one", 200);
  await drain(bench); // warm-up
  for (let n = 1; n <= ROUNDS; n++) {
    progress(`map: round ${n} of ${ROUNDS}`);
    await queue(bench, "bench_one", ITEMS);
    single.push(await drain(bench) / ITEMS);
    await queue(bench, "bench_map", 1);
    mapped.push(await drain(bench) / ITEMS);
  }
  const [one, item] = [percentile(single, 0.5), percentile(mapped, 0.5)];
  return [
    { name: `a job of one step, of ${ITEMS}`, value: round(one), unit: "ms" },
    { name: `an item of a map of ${ITEMS}, no limit`, value: round(item), unit: "ms" },
    { name: "an item in jobs of one step", value: round(item / one), unit: "×", atMost: 1.5 },
  ];
}

/** One at a time on the idle stack, in turns with a trivial RPC. */
async function measureJoin(bench: Bench, progress: (text: string) => void): Promise<Figure[]> {
  progress(`parallel: ${JOBS} jobs, one at a time`);
  const { stack, sql, headers } = bench;
  await sql`create or replace function public.bench_nothing() returns integer language sql
    set search_path = '' as 'select 1'`;
  await sql`grant execute on function public.bench_nothing() to service_role`;
  const times: Record<"rpc" | "bench_one" | "bench_fan", number[]> = {
    ...{ rpc: [], bench_one: [], bench_fan: [] },
  };
  for (let n = -10; n < JOBS; n++) {
    const began = performance.now();
    const rpc = await fetch(`${stack.apiUrl}/rest/v1/rpc/bench_nothing`, {
      method: "POST",
      headers: { ...headers, apikey: stack.secretKey, Authorization: `Bearer ${stack.secretKey}` },
      body: "{}",
    });
    if (await rpc.text() !== "1") throw new Error(`The RPC answered ${rpc.status}`);
    const passed = performance.now() - began;
    const one = await timeOf(bench, "bench_one");
    const fan = await timeOf(bench, "bench_fan");
    if (n < 0) continue; // warm-up
    times.rpc.push(passed);
    times.bench_one.push(one);
    times.bench_fan.push(fan);
  }
  const [rpc, one, fan] = [
    percentile(times.rpc, 0.5),
    percentile(times.bench_one, 0.5),
    percentile(times.bench_fan, 0.5),
  ];
  return [
    { name: "a branch alone, p50", value: round(one), unit: "ms" },
    { name: "parallel of two such branches, p50", value: round(fan), unit: "ms" },
    { name: "trivial RPC, p50", value: round(rpc), unit: "ms" },
    {
      name: "what the join costs, in RPCs",
      value: round((fan - one) / rpc),
      unit: "×",
      atMost: 2.5,
    },
  ];
}

/** From the claim of a job to its end, by the database's clock, in ms. */
async function timeOf({ stack, sql, headers }: Bench, workflow_id: string): Promise<number> {
  const response = await fetch(`${stack.functionsUrl}/start-workflow`, {
    method: "POST",
    headers,
    body: JSON.stringify({ workflow_id, input_data: {} }),
  });
  const { job_id } = await response.json();
  return await poll(
    async () => {
      const [row] = await sql`
        select extract(epoch from completed_at - started_at)::float8 * 1000 as ms
        from public.jobs where id = ${job_id} and status = 'completed'`;
      return row && Number(row["ms"]);
    },
    10_000,
    4,
  );
}

async function queue({ sql, userId }: Bench, workflowId: string, count: number): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`select set_config('millrace.kick', 'caller', true)`;
    await tx`insert into public.jobs (user_id, workflow_id, input_data)
      select ${userId}, ${workflowId}, '{}' from generate_series(1, ${count}::integer)`;
  });
}

/** Runs all that is queued to its end; answers how long it took, in ms. */
async function drain(bench: Bench): Promise<number> {
  const began = performance.now();
  for (;;) {
    await runOrchestrator(bench);
    const [row] = await bench.sql`select count(*) filter (where completed_at is null)::int as open,
      count(*) filter (where status in ('failed', 'cancelled'))::int as bad from public.jobs`;
    if (row?.["bad"] !== 0) throw new Error(`${row?.["bad"]} jobs did not complete`);
    if (row?.["open"] === 0) return performance.now() - began;
  }
}
