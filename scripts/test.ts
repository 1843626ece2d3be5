/**
 * Runs the tests: `deno task test [files, folders or options of deno test]`.
 *
 * Tests share one stack, which is booted once and stopped at the end; those that break it
 * (`tests/faults`) run afterwards, one file at a time, each with a stack of its own. Without
 * arguments everything runs, and the engine's coverage is held to its threshold.
 */
import { checkCoverage } from "./coverage.ts";
import { finish } from "./finish.ts";
import { inProject } from "./place.ts";
import { passSignalsOn, runDeno, wasInterrupted } from "./run.ts";
import { say, seconds } from "./say.ts";
import { sharedStack } from "./shared_stack.ts";
import { readSummary, sum, type Tally } from "./tally.ts";

/** Folders whose tests do to their stack what would fail the tests of others. */
const ALONE = ["tests/faults"];
/** Folders whose tests need no stack. */
const WITHOUT_STACK = ["tests/unit", "tests/gate"];

passSignalsOn();
const began = performance.now();
const tally = Deno.args.length > 0 ? await runSome(Deno.args) : await runAll();
say(`\nTests took ${seconds(performance.now() - began)}`);
await finish(tally);
Deno.exit(wasInterrupted() ? 130 : tally.failed > 0 ? 1 : 0);

async function runAll(): Promise<Tally> {
  const coverage = await Deno.makeTempDir({ prefix: "millrace-coverage-" });
  try {
    const together = await deno([
      "--parallel",
      `--ignore=${ALONE.join(",")}`,
      `--coverage=${coverage}`,
      "--coverage-raw-data-only",
      "tests",
    ]);
    if (wasInterrupted()) return together;
    const alone = await deno(ALONE, { shared: false });
    if (wasInterrupted()) return sum([together, alone]);
    return sum([together, alone, await checkCoverage(coverage)]);
  } finally {
    await Deno.remove(coverage, { recursive: true });
  }
}

/** What the arguments name; in parallel unless it is of the kind that must run alone. */
function runSome(args: string[]): Promise<Tally> {
  const names = args.filter((arg) => !arg.startsWith("-") && arg.includes("tests"));
  const within = (folders: string[]) => (name: string) =>
    folders.some((folder) => name.replace(/^\.\//, "").startsWith(folder));
  const alone = names.some(within(ALONE));
  const needsStack = names.length === 0 || !names.every(within(WITHOUT_STACK));
  return deno([...(alone ? [] : ["--parallel"]), ...args], { shared: needsStack && !alone });
}

async function deno(args: string[], { shared = true } = {}): Promise<Tally> {
  await using stack = shared ? await sharedStack() : undefined;
  if (wasInterrupted()) return { passed: 0, failed: 1, skipped: 0 };
  // Types are checked by `deno task check`.
  const { code, stdout } = await runDeno(["test", "-A", "--no-check", ...args], {
    cwd: inProject(),
    env: stack === undefined ? {} : { MILLRACE_TEST_STACK: stack.description },
  });
  return readSummary(stdout, code);
}
