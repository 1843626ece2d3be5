import { type Bench, type Figure, percentile, poll, round } from "./support.ts";

const JOBS = 100;

/**
 * A job of three steps on the idle stack, one at a time: from the answer of the POST to
 * `completed`, as a multiple of one trivial RPC on the same stack, measured in between.
 */
export async function measureLatency(bench: Bench): Promise<Figure[]> {
  const { stack, sql, headers } = bench;
  const jobs: number[] = [];
  const rpcs: number[] = [];
  const starts: number[] = [];
  await sql`
    create or replace function public.bench_nothing() returns integer language sql
    set search_path = '' as 'select 1'`;
  await sql`grant execute on function public.bench_nothing() to service_role`;
  for (let n = -10; n < JOBS; n++) {
    const rpcStart = performance.now();
    const rpc = await fetch(`${stack.apiUrl}/rest/v1/rpc/bench_nothing`, {
      method: "POST",
      headers: { ...headers, apikey: stack.secretKey, Authorization: `Bearer ${stack.secretKey}` },
      body: "{}",
    });
    if (await rpc.text() !== "1") throw new Error(`The RPC answered ${rpc.status}`);
    const rpcMs = performance.now() - rpcStart;

    const postStart = performance.now();
    const response = await fetch(`${stack.functionsUrl}/start-workflow`, {
      method: "POST",
      headers,
      body: JSON.stringify({ workflow_id: "bench_echo", input_data: { payload: n } }),
    });
    const { job_id } = await response.json();
    const answeredAt = Date.now();
    const postMs = performance.now() - postStart;
    // Read off the row, so that looking for the end does not count, nor slow it down much.
    const completedAt = await poll(
      async () => {
        const [row] = await sql`
        select extract(epoch from completed_at) * 1000 as at from public.jobs
        where id = ${job_id} and status = 'completed'`;
        return row && Number(row["at"]);
      },
      10_000,
      4,
    );
    if (n < 0) continue; // warm-up
    rpcs.push(rpcMs);
    starts.push(postMs);
    jobs.push(completedAt - answeredAt);
  }
  const rpc = percentile(rpcs, 0.5);
  const job = percentile(jobs, 0.5);
  return [
    { name: "trivial RPC, p50", value: round(rpc), unit: "ms" },
    { name: "POST start-workflow, p50", value: round(percentile(starts, 0.5)), unit: "ms" },
    { name: "three steps after the POST's answer, p50", value: round(job), unit: "ms" },
    { name: "three steps, p99", value: round(percentile(jobs, 0.99)), unit: "ms" },
    { name: "three steps in RPCs, p50", value: round(job / rpc), unit: "×", atMost: 12 },
  ];
}
