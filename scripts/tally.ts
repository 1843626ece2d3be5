/** How many tests or checks passed, failed and were skipped. */
export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

// deno-lint-ignore no-control-regex -- terminals' colours begin with one
const COLOURS = /\u001b\[[0-9;]*m/g;
const SUMMARY = /^(?:ok|FAILED) \| (\d+) passed\b.*? \| (\d+) failed\b(.*)$/gm;

/** The sum of some tallies. */
export function sum(tallies: readonly Tally[]): Tally {
  return {
    passed: tallies.reduce((total, { passed }) => total + passed, 0),
    failed: tallies.reduce((total, { failed }) => total + failed, 0),
    skipped: tallies.reduce((total, { skipped }) => total + skipped, 0),
  };
}

/** The line that closes a run: `12 passed, 0 failed`, and how many were skipped if any were. */
export function closingLine({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

/**
 * The tally of a run of `deno test`, from the summary that it ends with and its exit code; a file
 * that cannot be loaded counts as one failure.
 */
export function readSummary(output: string, exitCode: number): Tally {
  const match = [...stripColours(output).matchAll(SUMMARY)].at(-1);
  if (match === undefined) return { passed: 0, failed: 1, skipped: 0 };
  const [, passed, failed, rest = ""] = match;
  return {
    passed: Number(passed),
    // A run that fails without a failed test (a threshold, a signal) is no success.
    failed: exitCode !== 0 ? Math.max(Number(failed), 1) : Number(failed),
    skipped: Number(/(\d+) ignored/.exec(rest)?.[1] ?? 0),
  };
}

/** The tally that a closing line tells of. */
export function readClosingLine(line: string): Tally | undefined {
  const match = /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/.exec(line.trim());
  if (match === null) return undefined;
  const [, passed, failed, skipped = "0"] = match;
  return { passed: Number(passed), failed: Number(failed), skipped: Number(skipped) };
}

function stripColours(text: string): string {
  return text.replaceAll(COLOURS, "");
}
