import { parseArgs } from "node:util";
import { measureBacklog } from "./backlog.ts";
import { measureChildren } from "./children.ts";
import { measureClaim } from "./claim.ts";
import { measureLatency } from "./latency.ts";
import { measureMemory } from "./memory.ts";
import { printTable } from "./table.ts";
import { describeDatabase, type Figure, startBench } from "./support.ts";

const { values: flags } = parseArgs({
  args: Deno.args,
  options: { json: { type: "boolean", default: false } },
});

const progress = (text: string) => {
  if (!flags.json) Deno.stderr.writeSync(new TextEncoder().encode(`${text}\n`));
};

const figures: Record<string, Figure[]> = {};
let plan = "";
let database = "";

{
  progress("latency: 100 jobs of three steps, one at a time");
  await using bench = await startBench({ cron: false });
  database = await describeDatabase(bench);
  figures["Latency on the idle stack"] = await measureLatency(bench);
}
{
  progress("backlog: 2,000 jobs of three steps, one orchestrator");
  await using bench = await startBench({ cron: false });
  figures["A backlog of 2,000 jobs"] = await measureBacklog(bench);
  figures["Memory"] = await measureMemory(bench, progress);
}
{
  progress("children: maps of 10,000 items, joins of two branches");
  await using bench = await startBench({ cron: false });
  figures["Children"] = await measureChildren(bench, progress);
}
{
  progress("claim: 10,000 due jobs");
  await using bench = await startBench({ cron: false });
  const claim = await measureClaim(bench, progress);
  figures["The claim beside finished jobs"] = claim.figures;
  plan = claim.plan;
}

const machine = {
  cores: navigator.hardwareConcurrency,
  os: `${Deno.build.os} ${Deno.build.arch}`,
  deno: Deno.version.deno,
  postgres: database,
};
// deno-lint-ignore no-console -- the result of this command
const print = console.log;
if (flags.json) print(JSON.stringify({ machine, figures, plan }));
else printTable(machine, figures, plan, print);

const missed = Object.values(figures).flat()
  .filter((figure) => figure.atMost !== undefined && figure.value > figure.atMost);
Deno.exit(missed.length > 0 ? 1 : 0);
