/**
 * The gate: `deno task ok`. Runs all checks and all tests, whatever fails on the way, and ends with
 * a line `N passed, N failed`, in which each check counts as one.
 */
import { finish, tallyOf } from "./finish.ts";
import { passSignalsOn, runDeno, wasInterrupted } from "./run.ts";
import { say, seconds } from "./say.ts";
import { sum, type Tally } from "./tally.ts";

/** The tasks of `deno.json`, the quick ones first. */
const TASKS: readonly string[] = [
  ...["fmt:check", "lint", "rules", "check", "functions:check", "schema:check", "test"],
];

passSignalsOn();
const tallies: Tally[] = [];
const failed: string[] = [];
const times: string[] = [];
for (const task of TASKS) {
  if (wasInterrupted()) break;
  say(`\n== deno task ${task}`);
  const began = performance.now();
  const tally = await tallyOf((env) => runDeno(["task", "--quiet", task], { env }));
  tallies.push(tally);
  times.push(`${task} ${seconds(performance.now() - began)}`);
  if (tally.failed > 0) failed.push(task);
}

say(`\n${times.join(", ")}`);
if (failed.length > 0) say(`Failed: ${failed.join(", ")}`);
await finish(sum(tallies));
Deno.exit(wasInterrupted() ? 130 : failed.length > 0 ? 1 : 0);
