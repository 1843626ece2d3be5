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
    if (!(error instanceof TooManyVisits)) throw error;
    throw new EngineError(
      "mapping_failed",
      `Cannot map ${place} as ${path.text} ${error.message}`,
      { place, path: path.text },
    );
  }
}
