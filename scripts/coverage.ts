import { walkFiles } from "./files.ts";
import { inProject } from "./place.ts";
import { runDeno } from "./run.ts";
import { say } from "./say.ts";
import type { Tally } from "./tally.ts";

/** What must be covered, and which part of its branches, in per cent. */
const FOLDER = "supabase/functions/_shared/engine";
const THRESHOLD = 95;

/** Branches of one file that tests went through. */
export interface FileCoverage {
  file: string;
  found: number;
  hit: number;
}

/** Reads the branches of each file out of an LCOV report. */
export function readLcov(lcov: string): FileCoverage[] {
  return lcov.split("end_of_record").flatMap((record) => {
    const file = /^SF:(.*)$/m.exec(record)?.[1];
    if (file === undefined) return [];
    // Counted here: the totals that a report may have are the reporter's own business.
    const branches = [...record.matchAll(/^BRDA:[^,]*,[^,]*,[^,]*,(.*)$/gm)];
    const hit = branches.filter(([, taken]) => taken !== "-" && taken !== "0").length;
    return [{ file, found: branches.length, hit }];
  });
}

/** The part of branches that were taken, in per cent. */
export function branchPercentage(files: readonly FileCoverage[]): number {
  const found = files.reduce((total, file) => total + file.found, 0);
  const hit = files.reduce((total, file) => total + file.hit, 0);
  return found === 0 ? 0 : 100 * hit / found;
}

/**
 * Checks the coverage of the engine against its threshold, and says what it is. Counts as one
 * check.
 */
export async function checkCoverage(rawData: string): Promise<Tally> {
  const { code, stdout, stderr } = await runDeno(
    ["coverage", "--lcov", `--include=${FOLDER}/`, rawData],
    { show: false },
  );
  const files = readLcov(stdout);
  const covered = new Set(files.map(({ file }) => file));
  const missing = [];
  for await (const path of walkFiles(FOLDER)) {
    const runs = /^(?:export )?(?:async )?(?:function|class|const|let)\b/m;
    if (covered.has(inProject(path))) continue;
    if (runs.test(await Deno.readTextFile(inProject(path)))) missing.push(path);
  }
  const percentage = branchPercentage(files);
  say(`\nBranches of ${FOLDER} covered: ${percentage.toFixed(1)} % (at least ${THRESHOLD} %)`);
  for (const { file, hit, found } of files) {
    if (hit < found) say(`  ${file.slice(inProject().length + 1)}: ${hit} of ${found}`);
  }
  for (const path of missing) say(`  ${path}: no test loads it`);
  if (code !== 0) say(stderr);
  const passed = code === 0 && missing.length === 0 && percentage >= THRESHOLD;
  return { passed: passed ? 1 : 0, failed: passed ? 0 : 1, skipped: 0 };
}
