/** A column by which rows are ordered, and its value in the row after which a page begins. */
export type Key = readonly [column: string, value: string | number];

/**
 * The filter (for `or()`) of rows that come after these keys, in the order of all of them together.
 * Values must hold neither quotes nor backslashes.
 *
 * @param operator `gt` where the order ascends, `lt` where it descends
 */
export function afterKeys(keys: readonly Key[], operator: "gt" | "lt"): string {
  return keys.map(([column, value], index) => {
    const equal = keys.slice(0, index).map(([column, value]) => `${column}.eq."${value}"`);
    return and([...equal, `${column}.${operator}."${value}"`]);
  }).join(",");
}

function and(conditions: readonly string[]): string {
  return conditions.length === 1 ? conditions.join() : `and(${conditions.join(",")})`;
}
