import { z } from "zod";
import { jobIdSchema } from "../contracts/requests.ts";
import { invalidRequest } from "../http/errors.ts";
import type { PagePosition } from "../store/user_store.ts";

// Strict, as both values become part of a filter. Microseconds stay: a time cut to milliseconds
// would skip or repeat jobs that were created in the same one.
const positionSchema = z.tuple([
  z.string().regex(/^\d{4,6}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)$/),
  jobIdSchema,
]);

/** The opaque cursor of the page that begins after this job. */
export function encodeCursor(position: PagePosition): string {
  const text = btoa(JSON.stringify([position.createdAt, position.id]));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/**
 * What {@link encodeCursor} was given.
 *
 * @throws {ApiError} 400 for anything else.
 */
export function decodeCursor(cursor: string): PagePosition {
  const position = positionSchema.safeParse(parse(cursor));
  if (!position.success) {
    throw invalidRequest([{ path: "cursor", message: "must be a 'next_cursor' of this list" }]);
  }
  const [createdAt, id] = position.data;
  return { createdAt, id };
}

function parse(cursor: string): unknown {
  try {
    return JSON.parse(atob(cursor.replaceAll("-", "+").replaceAll("_", "/")));
  } catch {
    return null; // the caller reports it
  }
}
