import { inProject } from "./place.ts";

/** Folders whose content is not the project's: data, caches, reports. */
const OUTSIDE: ReadonlySet<string> = new Set([
  ...[".git", ".millrace", "node_modules", "coverage", ".temp", ".branches"],
]);

/** All files of a folder of the project, as paths relative to its root, in order. */
export async function* walkFiles(folder = ""): AsyncGenerator<string> {
  const entries = [];
  for await (const entry of Deno.readDir(inProject(folder))) entries.push(entry);
  entries.sort((a, b) => a.name < b.name ? -1 : 1);
  for (const { name, isDirectory, isFile } of entries) {
    const path = folder === "" ? name : `${folder}/${name}`;
    if (isDirectory && !OUTSIDE.has(name)) yield* walkFiles(path);
    else if (isFile) yield path;
  }
}
