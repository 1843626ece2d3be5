import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Root of the project, as a path. */
export const PROJECT = dirname(dirname(fileURLToPath(import.meta.url)));

/** A path of the project, from one that is relative to its root. */
export function inProject(...parts: string[]): string {
  return join(PROJECT, ...parts);
}
