import assert from "node:assert/strict";
import { privateDatabase } from "../../support/private_database.ts";

const file = await privateDatabase();
const echo = { transformer_id: "echo" };

/** A definition and the faults that it is refused for, in this order. */
const FAULTY: Record<string, [definition: unknown, faults: string]> = {
  "no object": [[], "definition: must be an object"],
  "a string": ["a", "definition: must be an object"],
  "null": [null, "definition: must be an object"],
  "no steps": [{ start_step: "a" }, "steps: must be an object with at least one step"],
  "empty steps": [
    { start_step: "a", steps: {} },
    "steps: must be an object with at least one step",
  ],
  "steps in a list": [
    { start_step: "a", steps: [echo] },
    "steps: must be an object with at least one step",
  ],
  "no start": [{ steps: { a: echo } }, "start_step: must be the id of a step"],
  "a start that is a number": [
    { start_step: 1, steps: { a: echo } },
    "start_step: must be the id of a step",
  ],
  "a start that does not exist": [
    { start_step: "b", steps: { a: echo } },
    "start_step: no step 'b'",
  ],
  "an unknown key": [{ start_step: "a", steps: { a: echo }, stpes: {} }, "stpes: unknown key"],
  "an unknown key of a step": [
    { start_step: "a", steps: { a: { ...echo, nextstep: "b" } } },
    "steps.a.nextstep: unknown key",
  ],
  "a step that is no object": [
    { start_step: "a", steps: { a: "echo" } },
    "steps.a: a step must be an object",
  ],
  "an unknown step type": [
    { start_step: "a", steps: { a: { ...echo, type: "tsak" } } },
    "steps.a.type: 'tsak' is not a step type",
  ],
  "no transformer": [
    { start_step: "a", steps: { a: {} } },
    "steps.a.transformer_id: is required",
  ],
  "an unknown transformer": [
    { start_step: "a", steps: { a: { transformer_id: "ehco" } } },
    "steps.a.transformer_id: no transformer 'ehco'",
  ],
  "a next step that does not exist": [
    { start_step: "a", steps: { a: { ...echo, next_step: "b" } } },
    "steps.a.next_step: no step 'b'",
  ],
  "a next step that is a number": [
    { start_step: "a", steps: { a: { ...echo, next_step: 2 } } },
    "steps.a.next_step: must be the id of a step",
  ],
  "an error handler that does not exist": [
    { start_step: "a", steps: { a: { ...echo, on_error: "b" } } },
    "steps.a.on_error: no step 'b'",
  ],
  "a listed error handler that does not exist": [
    {
      start_step: "a",
      steps: {
        a: {
          ...echo,
          on_error: [{ errors: ["timeout"], next_step: "a" }, { errors: ["*"], next_step: "b" }],
        },
      },
    },
    "steps.a.on_error[1].next_step: no step 'b'",
  ],
  "a listed error handler that leads nowhere": [
    { start_step: "a", steps: { a: { ...echo, on_error: [{ errors: ["*"] }] } } },
    "steps.a.on_error[0].next_step: must be the id of a step",
  ],
  "a handler of the whole that does not exist": [
    { start_step: "a", steps: { a: echo }, on_error: "b" },
    "on_error: no step 'b'",
  ],
  "a step that nothing leads to": [
    { start_step: "a", steps: { a: echo, b: { ...echo, next_step: "b" } } },
    "steps.b: no step leads here",
  ],
  "a step id of other characters": [
    { start_step: "é", steps: { "é": echo } },
    'steps["é"]: a step id must match ^[A-Za-z][A-Za-z0-9_-]{0,63}$',
  ],
  "a step id that is too long": [
    { start_step: "a".repeat(65), steps: { ["a".repeat(65)]: echo } },
    `steps.${"a".repeat(65)}: a step id must match ^[A-Za-z][A-Za-z0-9_-]{0,63}$`,
  ],
  "a reserved step id": [
    { start_step: "job_input", steps: { job_input: echo } },
    "steps.job_input: 'job_input' is reserved in the job document",
  ],
  "several faults at once": [
    { start_step: "a", steps: { a: { next_step: "c" }, b: echo }, extra: 1 },
    "extra: unknown key; steps.a.next_step: no step 'c'; " +
    "steps.a.transformer_id: is required; steps.b: no step leads here",
  ],
  "more than 1 MiB": [
    { start_step: "a", steps: { a: echo }, description: "x".repeat(1_048_576) },
    "definition: must be at most 1 MiB",
  ],
  "more than 500 steps": [
    {
      start_step: "s0",
      steps: Object.fromEntries(
        Array.from(
          { length: 501 },
          (_, i) => [`s${i}`, { ...echo, next_step: `s${(i + 1) % 501}` }],
        ),
      ),
    },
    "steps: must be at most 500 steps, those of branches included",
  ],
};

const prefix = "Cannot register workflow 'faulty' as its definition is invalid: ";

for (const [title, [definition, faults]] of Object.entries(FAULTY)) {
  file.test(`check_workflow_definition() refuses ${title}`, async (db) => {
    await assert.rejects(
      db`insert into public.workflows (id, definition)
        values ('faulty', ${JSON.stringify(definition)}::text::jsonb)`,
      { code: "MR004", message: prefix + faults },
    );
    assert.equal((await db`select from public.workflows where id = 'faulty'`).count, 0);
  });
}

file.test("check_workflow_definition() refuses a bad update and keeps what was there", async (db) => {
  await assert.rejects(db`update public.workflows set definition = '{}'`, { code: "MR004" });
  const rows = await db`select version from public.workflow_versions`;
  assert.deepEqual(rows.map(({ version }) => version), [1]);
});

file.test("check_workflow_definition() names at most 20 places", async (db) => {
  const extra = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`key${i}`, 1]));
  const definition = { start_step: "a", steps: { a: echo }, ...extra };
  await assert.rejects(
    db`insert into public.workflows (id, definition) values ('faulty', ${db.json(definition)})`,
    (error: Error) => error.message.split("unknown key").length - 1 === 20,
  );
});

file.test("check_workflow_definition() takes all that the language has", async (db) => {
  const definition = {
    title: "All keys",
    description: "Every key that a definition can have",
    start_step: "a",
    steps: {
      a: {
        type: "task",
        title: "A",
        description: "The first",
        when: "job_input.go",
        transformer_id: "echo",
        input_map: { x: "$.job_input" },
        config: {},
        retry: { max_retries: 1 },
        timeout_seconds: 5,
        on_error: [{ errors: ["*"], next_step: "c" }],
        callback: true,
        next_step: "b",
      },
      b: { transformer_id: "echo", next_step: null },
      c: { transformer_id: "echo", on_error: "b", next_step: "a" },
      d: { transformer_id: "echo" },
    },
    output_map: { x: 1 },
    input_schema: {},
    retry: {},
    on_error: "d",
    max_step_visits: 10,
    timeout_seconds: 60,
    metadata: {},
  };
  await db`insert into public.workflows (id, definition) values ('full', ${db.json(definition)})`;
});
