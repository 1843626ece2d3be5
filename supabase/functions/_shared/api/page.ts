import type { Cursor } from "./cursor.ts";

/** What a caller asks of a paged list. */
export interface PageRequest {
  limit: number;
  cursor?: string | undefined;
}

/** One page, and the cursor of the next. */
export interface Page<Row> {
  rows: Row[];
  /** Null: there is no further page. */
  next_cursor: string | null;
}

/**
 * Reads one page of a list.
 *
 * @param find reads at most `limit` rows from after a position on
 * @param positionOf where a row stands in the list
 * @throws {ApiError} 400 for a cursor that is not of this list; and whatever `find` throws.
 */
export async function readPage<Row, Position>(
  { limit, cursor }: PageRequest,
  kind: Cursor<Position>,
  find: (after: Position | undefined, limit: number) => Promise<Row[]>,
  positionOf: (row: Row) => Position,
): Promise<Page<Row>> {
  const after = cursor === undefined ? undefined : kind.decode(cursor);
  const found = await find(after, limit + 1); // one more tells whether there is another page
  const rows = found.slice(0, limit);
  const last = rows.at(-1);
  const more = found.length > limit && last !== undefined;
  return { rows, next_cursor: more ? kind.encode(positionOf(last)) : null };
}
