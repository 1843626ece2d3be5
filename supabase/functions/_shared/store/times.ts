/**
 * A row as it came, with the times in these columns as RFC 3339, however the Data API writes them:
 * `2030-01-31 12:00:00.123456+00`.
 */
export function withTimes<Row extends Record<string, unknown>>(
  row: Row,
  columns: readonly string[],
): Row {
  const copy: Record<string, unknown> = { ...row };
  for (const column of columns) {
    const time = copy[column];
    if (typeof time !== "string") continue;
    copy[column] = time.replace(" ", "T").replace(/([+-]\d\d)$/, "$1:00");
  }
  return copy as Row;
}
