import type { TestDatabase } from "./database.ts";

/** A definition of one echo step. */
export const ECHO_DEFINITION = {
  start_step: "step1",
  steps: {
    step1: {
      transformer_id: "echo-transformer",
      input_map: { data: "$.job_input.payload?" },
      next_step: null,
    },
  },
  output_map: { result: "$.step1.output.echoed_data" },
};

/** Registers a workflow under a new id, with the echo transformer that it needs. */
export async function createWorkflow(
  db: TestDatabase,
  definition: Record<string, unknown> = ECHO_DEFINITION,
): Promise<string> {
  const id = `test_${crypto.randomUUID().replaceAll("-", "")}`;
  await db`
    insert into public.transformers (id, type, config, target_function)
    values ('echo-transformer', 'echo', '{}', 'execute-echo') on conflict do nothing`;
  await db`
    insert into public.workflows (id, definition)
    values (${id}, ${db.json(definition as never)})`;
  return id;
}
