// Writes supabase/seed.sql: every transformer and workflow of examples/, as the plain inserts that
// a user of the database would write. With --check it writes nothing, and exits with 1 when the
// file is not what examples/ make it.

import { print, say } from "../local/commands/say.ts";

const EXAMPLES = new URL("../examples/", import.meta.url);
const SEED_FILE = new URL("../supabase/seed.sql", import.meta.url);

const HEAD =
  `-- What a fresh local project can run at once: the transformers and workflows of examples/, written
-- by scripts/build_seed.ts. On a hosted project, run the statements you want in the SQL editor.
`;

interface TransformerFile {
  id: string;
  type: string;
  description: string;
  config: Record<string, unknown>;
  target_function: string;
  batch_size: number;
}

interface WorkflowFile {
  id: string;
  description: string;
  definition: unknown;
}

/** The text that supabase/seed.sql is to have. */
export async function buildSeed(): Promise<string> {
  const transformers = await readAll<TransformerFile>(new URL("transformers/", EXAMPLES));
  const workflows = await readAll<WorkflowFile>(EXAMPLES);
  const ordered = referencedFirst(workflows);
  return [HEAD, ...transformers.map(insertTransformer), ...ordered.map(insertWorkflow)].join("\n");
}

/** A workflow can be registered once those that its steps name are there. */
function referencedFirst(workflows: readonly WorkflowFile[]): WorkflowFile[] {
  const byId = new Map(workflows.map((workflow) => [workflow.id, workflow]));
  const ordered = new Set<WorkflowFile>();
  const add = (workflow: WorkflowFile, namedBy: readonly string[]): void => {
    if (namedBy.includes(workflow.id)) {
      throw new Error(`Examples must not start each other in a circle: ${namedBy.join(", ")}`);
    }
    for (const id of workflowsIn(workflow.definition)) {
      const named = byId.get(id);
      if (named !== undefined) add(named, [...namedBy, workflow.id]);
    }
    ordered.add(workflow);
  };
  for (const workflow of workflows) add(workflow, []);
  return [...ordered];
}

/** The workflows that a part of a definition names, whatever step or branch it is. */
function workflowsIn(part: unknown): string[] {
  if (typeof part !== "object" || part === null) return [];
  return Object.entries(part).flatMap(([key, value]) =>
    key === "workflow_id" && typeof value === "string" ? [value] : workflowsIn(value)
  );
}

async function readAll<T>(folder: URL): Promise<T[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    if (name.endsWith(".json")) names.push(name);
  }
  return await Promise.all(
    names.sort().map(async (name) => JSON.parse(await Deno.readTextFile(new URL(name, folder)))),
  );
}

function insertTransformer(row: TransformerFile): string {
  return `insert into public.transformers
  (id, type, description, config, target_function, batch_size)
values (
  ${quote(row.id)}, ${quote(row.type)},
  ${quote(row.description)},
  ${dollarQuote(row.config)}, ${quote(row.target_function)}, ${row.batch_size}
)
on conflict (id) do nothing;
`;
}

function insertWorkflow(row: WorkflowFile): string {
  return `insert into public.workflows (id, description, definition)
values (
  ${quote(row.id)},
  ${quote(row.description)},
  ${dollarQuote(row.definition)}
)
on conflict (id) do nothing;
`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** JSON as it stands: its own quotes need no doubling. */
function dollarQuote(value: unknown): string {
  const text = JSON.stringify(value, null, 2);
  if (text.includes("$json$")) throw new Error("The JSON holds the mark that is to enclose it");
  return `$json$${text}$json$`;
}

if (import.meta.main) {
  const seed = await buildSeed();
  if (!Deno.args.includes("--check")) {
    await Deno.writeTextFile(SEED_FILE, seed);
    print("supabase/seed.sql is written");
  } else if (await Deno.readTextFile(SEED_FILE) !== seed) {
    say("supabase/seed.sql is not what examples/ make it: run `deno task seed`");
    Deno.exit(1);
  }
}
