import { z } from "zod";
import { uuidSchema } from "../contracts/requests.ts";
import { STEP_ID_PATTERN } from "../contracts/definition/step_id.ts";
import { invalidRequest } from "../http/errors.ts";

/**
 * What stands for a place in a list, as callers keep it: opaque to them, and read again strictly,
 * as its values become part of a filter.
 */
export interface Cursor<Position> {
  encode(position: Position): string;
  /** @throws {ApiError} 400 for anything that `encode` did not make. */
  decode(text: string): Position;
}

// Microseconds stay: a time cut to milliseconds would skip or repeat what was created in the same.
const time = z.string()
  .regex(/^\d{4,6}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)$/);
const stepId = z.string().regex(STEP_ID_PATTERN);
const count = z.int().min(0);

/** Of lists that have the newest first. */
export const byCreation = createCursor(z.strictObject({ createdAt: time, id: uuidSchema }));

/** Of the children of a job. */
export const byPlace = createCursor(z.strictObject({ stepId, visit: count, index: count }));

/** Of the attempts of a job. */
export const byEnd = createCursor(
  z.strictObject({ ended_at: time, step_id: stepId, visit: count, attempt: count }),
);

/** Of the events of a job. */
export const byNumber = createCursor(z.strictObject({ id: count }));

function createCursor<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape, z.core.$strict>,
): Cursor<z.infer<z.ZodObject<Shape>>> {
  return {
    encode(position) {
      // A whole row may be given: what else it holds is left out.
      const names = Object.keys(schema.shape);
      const values = Object.entries(position).filter(([name]) => names.includes(name));
      const text = btoa(JSON.stringify(Object.fromEntries(values)));
      return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
    },
    decode(text) {
      const position = schema.safeParse(parse(text));
      if (position.success) return position.data;
      throw invalidRequest([{ path: "cursor", message: "must be a 'next_cursor' of this list" }]);
    },
  };
}

function parse(cursor: string): unknown {
  try {
    return JSON.parse(atob(cursor.replaceAll("-", "+").replaceAll("_", "/")));
  } catch {
    return null; // the caller reports it
  }
}
