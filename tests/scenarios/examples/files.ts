const EXAMPLES = new URL("../../../examples/", import.meta.url);

/** A JSON file of `examples/`. */
// deno-lint-ignore no-explicit-any -- each file has a form of its own
export async function readExample(path: string): Promise<any> {
  return JSON.parse(await Deno.readTextFile(new URL(path, EXAMPLES)));
}

/** The `input_data` that lies beside a workflow of `examples/`. */
// deno-lint-ignore no-explicit-any -- each file has a form of its own
export async function exampleInput(workflowId: string): Promise<any> {
  return await readExample(`input/${workflowId}.json`);
}

/** Names of the JSON files of a folder of `examples/`, in order. */
export async function exampleFiles(folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(new URL(folder, EXAMPLES))) {
    if (name.endsWith(".json")) names.push(name);
  }
  return names.sort();
}

/** A file of `examples/` as bytes. */
export async function exampleBytes(path: string): Promise<Uint8Array> {
  return await Deno.readFile(new URL(path, EXAMPLES));
}
