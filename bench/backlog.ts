import { type Bench, type Figure, queueJobs, round, runOrchestrator } from "./support.ts";

const JOBS = 2_000;

/** Jobs queued, one orchestrator: how much is done per round trip, and how fast. */
export async function measureBacklog(bench: Bench): Promise<Figure[]> {
  const { sql } = bench;
  await queueJobs(bench, 200);
  await runOrchestrator(bench); // warm-up
  await queueJobs(bench, JOBS);
  const before = await wal(bench);
  const startedAt = performance.now();
  let steps = 0, turns = 0, calls = 0;
  while (steps < JOBS * 3) {
    const report = await runOrchestrator(bench);
    if (report.steps === 0) throw new Error("The orchestrator found nothing to do");
    steps += report.steps;
    turns += report.turns;
    calls += report.calls;
  }
  const seconds = (performance.now() - startedAt) / 1000;
  const bytes = await wal(bench) - before;
  const [row] = await sql`
    select count(*)::int as open from public.jobs where status <> 'completed'`;
  if (row?.["open"] !== 0) throw new Error(`${row?.["open"]} jobs did not complete`);
  return [
    { name: "steps per second", value: round(steps / seconds), unit: "/s" },
    { name: "RPCs per step", value: round(turns / steps), unit: "", atMost: 0.12 },
    { name: "function calls per step", value: round(calls / steps), unit: "", atMost: 0.12 },
    { name: "WAL per step", value: round(bytes / steps), unit: "bytes" },
  ];
}

async function wal({ sql }: Bench): Promise<number> {
  const [row] = await sql`select (pg_current_wal_insert_lsn() - '0/0')::float8 as bytes`;
  return Number(row?.["bytes"]);
}
