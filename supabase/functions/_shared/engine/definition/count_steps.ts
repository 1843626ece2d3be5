import { isRecord } from "../json.ts";

/** The steps of a definition and of all branches in it, as they are written. */
export function countSteps(rawSteps: unknown): number {
  if (!isRecord(rawSteps)) return 0;
  const steps = Object.values(rawSteps);
  return steps.reduce<number>((sum, step) => sum + countInside(step), steps.length);
}

function countInside(step: unknown): number {
  if (!isRecord(step)) return 0;
  const branches = isRecord(step["branches"]) ? Object.values(step["branches"]) : [];
  return [...branches, step["branch"]].reduce<number>(
    (sum, branch) => sum + (isRecord(branch) ? countSteps(branch["steps"]) : 0),
    0,
  );
}
