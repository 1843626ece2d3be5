import { type Bench, type Figure, queueJobs, round, runOrchestrator } from "./support.ts";

const STEPS = 50_000;
const JOBS_A_ROUND = 1_000;

/** Memory of the orchestrator's process over 50,000 steps: the last third against the second. */
export async function measureMemory(
  bench: Bench,
  progress: (text: string) => void,
): Promise<Figure[]> {
  const samples: number[] = [];
  let steps = 0;
  while (steps < STEPS) {
    await queueJobs(bench, JOBS_A_ROUND);
    for (let left = JOBS_A_ROUND * 3; left > 0;) {
      const report = await runOrchestrator(bench);
      if (report.steps === 0) throw new Error("The orchestrator found nothing to do");
      left -= report.steps;
      steps += report.steps;
    }
    samples.push(await residentMb(bench));
    progress(`memory: ${steps.toLocaleString("en")} of ${STEPS.toLocaleString("en")} steps`);
  }
  const third = Math.floor(samples.length / 3);
  const middle = mean(samples.slice(third, 2 * third));
  const last = mean(samples.slice(-third));
  return [
    {
      name: "orchestrator's memory, middle third of 50,000 steps",
      value: round(middle),
      unit: "MB",
    },
    { name: "orchestrator's memory, last third", value: round(last), unit: "MB" },
    { name: "growth", value: round(last / middle), unit: "×", atMost: 1.2 },
  ];
}

async function residentMb({ stack }: Bench): Promise<number> {
  const pid = await stack.functionPid("workflow-orchestrator");
  if (pid === undefined) throw new Error("The orchestrator does not run");
  const { stdout } = await new Deno.Command("ps", { args: ["-o", "rss=", "-p", String(pid)] })
    .output();
  return Number(new TextDecoder().decode(stdout).trim()) / 1024;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
