const CONTEXT = 3;

/**
 * The differences between two texts, line by line, as `diff -u` shows them: `-` for what only the
 * first has, `+` for what only the second has, with a few lines around.
 */
export function diffLines(before: string, after: string): string[] {
  const [a, b] = [before.split("\n"), after.split("\n")];
  const edits = compare(a, b);
  const near = (at: number) =>
    edits.slice(Math.max(0, at - CONTEXT), at + CONTEXT + 1).some(({ sign }) => sign !== " ");
  const lines: string[] = [];
  let skipping = false;
  for (const [at, { sign, text, line }] of edits.entries()) {
    if (!near(at)) {
      skipping = true;
      continue;
    }
    if (skipping || at === 0) lines.push(`@@ line ${line} @@`);
    skipping = false;
    lines.push(`${sign}${text}`);
  }
  return lines;
}

interface Edit {
  sign: " " | "-" | "+";
  text: string;
  /** Its line in the first text, counted from 1. */
  line: number;
}

/** A shortest way from one list to the other, by the greedy algorithm of Myers. */
function compare(a: readonly string[], b: readonly string[]): Edit[] {
  const most = a.length + b.length;
  const reach = new Map<number, number>([[1, 0]]);
  const trace: Map<number, number>[] = [];
  for (let d = 0; d <= most; d++) {
    trace.push(new Map(reach));
    for (let k = -d; k <= d; k += 2) {
      let x = goesDown(reach, k, d) ? at(reach, k + 1) : at(reach, k - 1) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++;
      reach.set(k, x);
      if (x >= a.length && x - k >= b.length) return walkBack(a, b, trace);
    }
  }
  return [];
}

function walkBack(
  a: readonly string[],
  b: readonly string[],
  trace: readonly Map<number, number>[],
): Edit[] {
  const edits: Edit[] = [];
  let [x, y] = [a.length, b.length];
  for (let d = trace.length - 1; d >= 0; d--) {
    const reach = trace[d] ?? new Map();
    const k = x - y;
    const fromK = goesDown(reach, k, d) ? k + 1 : k - 1;
    const [fromX, fromY] = [at(reach, fromK), at(reach, fromK) - fromK];
    while (x > Math.max(fromX, 0) && y > Math.max(fromY, 0)) {
      edits.push({ sign: " ", text: a[--x] ?? "", line: x + 1 });
      y--;
    }
    if (d === 0) break;
    if (x > fromX) edits.push({ sign: "-", text: a[--x] ?? "", line: x + 1 });
    else edits.push({ sign: "+", text: b[--y] ?? "", line: x + 1 });
  }
  return edits.reverse();
}

function goesDown(reach: ReadonlyMap<number, number>, k: number, d: number): boolean {
  return k === -d || (k !== d && at(reach, k - 1) < at(reach, k + 1));
}

function at(reach: ReadonlyMap<number, number>, k: number): number {
  return reach.get(k) ?? -1;
}
