/**
 * `$distinct`: the items without those that equal an earlier one, as JSONata's `=` has it. In time
 * that grows with their size; JSONata's own compares each with each: 500,000 numbers take a minute.
 */
export function distinct(items: readonly unknown[]): unknown[] {
  const seen = new Set<string>();
  return items.filter((item) => {
    const key = keyOf(item);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

/** The same text for equal values only: the order of an object's keys does not count. */
function keyOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(keyOf).join()}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? String(value);
  const entries = Object.entries(value).map(([key, item]) =>
    `${JSON.stringify(key)}:${keyOf(item)}`
  );
  return `{${entries.sort().join()}}`;
}
