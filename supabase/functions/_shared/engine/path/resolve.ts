import { EngineError } from "../errors.ts";
import type { Place } from "../place.ts";
import { explainMissing, find } from "./find.ts";
import type { Path } from "./path.ts";
import { select, TooManyVisits } from "./select.ts";

/**
 * What a path finds: the value at the one place it names, or an array where it may name many.
 * `undefined` only where an optional path finds nothing.
 * @param place where the path stands in the definition
 * @throws {EngineError} `mapping_failed` when a path that names one place finds nothing
 */
export function resolvePath(document: unknown, path: Path, place: Place): unknown {
  if (path.keys === undefined) return selectAll(document, path, place);
  const value = find(document, path.keys);
  if (value === undefined && !path.optional) {
    throw new EngineError(
      "mapping_failed",
      `Cannot map ${place} as ${path.text} finds nothing: ${explainMissing(document, path)}`,
      { place, path: path.text },
    );
  }
  return value;
}

function selectAll(document: unknown, path: Path, place: Place): unknown[] {
  try {
    return select(document, path.segments);
  } catch (error) {
    throw mappingError(error, path, place);
  }
}

/**
 * A value as it stands inside a longer text: texts as they are, anything else as JSON.
 * @throws {EngineError} `mapping_failed` when it is too large for that
 */
export function printValue(value: unknown, path: Path, place: Place): string {
  if (typeof value === "string") return value;
  try {
    return JSON.stringify(value);
  } catch (error) {
    throw mappingError(error, path, place);
  }
}

/** Limits that data has run into, as an error of the job; anything else is a bug, and stays one. */
function mappingError(error: unknown, path: Path, place: Place): unknown {
  const reason = error instanceof TooManyVisits
    ? error.message
    : error instanceof RangeError
    ? "finds more than can be held"
    : undefined;
  if (reason === undefined) return error;
  return new EngineError("mapping_failed", `Cannot map ${place} as ${path.text} ${reason}`, {
    place,
    path: path.text,
  });
}
