import type { Figure } from "./support.ts";

/** Prints figures for a person. */
export function printTable(
  machine: Record<string, unknown>,
  figures: Record<string, Figure[]>,
  plan: string,
  print: (line: string) => void,
): void {
  print(Object.entries(machine).map(([key, value]) => `${key}: ${value}`).join("; "));
  for (const [title, rows] of Object.entries(figures)) {
    print(`\n${title}`);
    for (const { name, value, unit, atMost, note } of rows) {
      const label = note === undefined ? name : `${name} (${note})`;
      const goal = atMost === undefined
        ? ""
        : `at most ${atMost}${unit}  ${value <= atMost ? "ok" : "MISSED"}`;
      print(`  ${label.padEnd(62)} ${`${value} ${unit}`.padStart(14)}   ${goal}`.trimEnd());
    }
  }
  print(`\nPlan of the claim\n${plan.replaceAll(/^/gm, "  ")}`);
}
