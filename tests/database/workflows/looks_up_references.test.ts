import assert from "node:assert/strict";
import type { TestDatabase } from "../../support/database.ts";
import { privateDatabase } from "../../support/private_database.ts";

const file = await privateDatabase();
const prefix = "Cannot register workflow 'w' as its definition is invalid: ";
const one = (step: object) => ({ start_step: "a", steps: { a: step } });

async function register(db: TestDatabase, definition: unknown, id = "w") {
  await db`insert into public.workflows (id, definition)
    values (${id}, ${JSON.stringify(definition)}::text::jsonb)`;
}

async function assertRefused(db: TestDatabase, definition: unknown, faults: string) {
  await assert.rejects(register(db, definition), { code: "MR004", message: prefix + faults });
}

file.test("check_workflow_definition() refuses transformers that do not exist", async (db) => {
  const branch = {
    start_step: "b",
    steps: { b: { type: "map", items: [], transformer_id: "nope" } },
  };
  await assertRefused(
    db,
    {
      start_step: "a",
      steps: {
        a: {
          transformer_id: "ehco",
          validate: { type: "function", transformer_id: "judge" },
          next_step: "fan",
        },
        fan: { type: "parallel", branches: { left: branch } },
      },
    },
    "steps.a.transformer_id: no transformer 'ehco'; " +
      "steps.a.validate.transformer_id: no transformer 'judge'; " +
      "steps.fan.branches.left.steps.b.transformer_id: no transformer 'nope'",
  );
});

file.test("check_workflow_definition() refuses workflows that do not exist", async (db) => {
  await assertRefused(
    db,
    {
      start_step: "a",
      steps: {
        a: { type: "workflow", workflow_id: "x", next_step: "b" },
        b: { type: "map", items: [], workflow_id: "y" },
      },
    },
    "steps.a.workflow_id: no workflow 'x'; steps.b.workflow_id: no workflow 'y'",
  );
});

file.test("check_workflow_definition() refuses a version that does not exist", async (db) => {
  await register(db, one({ transformer_id: "echo" }), "other");
  await assertRefused(
    db,
    one({ type: "workflow", workflow_id: "other", version: 2 }),
    "steps.a.version: no version 2 of workflow 'other'",
  );
  await register(db, one({ type: "workflow", workflow_id: "other", version: 1 }));
});

file.test("check_workflow_definition() takes a workflow that starts itself", async (db) => {
  await register(db, {
    start_step: "a",
    steps: {
      a: { type: "workflow", workflow_id: "w", next_step: "b" },
      b: { type: "map", items: [], workflow_id: "w", version: 1 },
    },
  });
});

file.test("check_workflow_definition() looks up a transformer for nothing that is not one", async (db) => {
  await register(db, one({ type: "transform", output: { transformer_id: "nope" } }));
});

file.test("check_workflow_definition() takes every step type with every key", async (db) => {
  const echo = { transformer_id: "echo" };
  const branch = { start_step: "b", steps: { b: echo }, output_map: { x: 1 } };
  const common = { title: "T", description: "D", when: "true", on_error: "fail" };
  const person = {
    details: {},
    assignees: ["finance"],
    form: {},
    allow_self: false,
    timeout_seconds: 1,
  };
  const steps = {
    task: {
      type: "task",
      ...common,
      ...echo,
      input_map: {},
      config: {},
      retry: {},
      timeout_seconds: 1,
      callback: true,
      validate: { type: "regex", pattern: "a", value: "$.x", next_step_on_fail: "task" },
    },
    json: { ...echo, validate: { type: "json_schema", schema: true, next_step_on_pass: "json" } },
    expression: { ...echo, validate: { type: "expression", expression: "true" } },
    function: { ...echo, validate: { type: "function", ...echo, input_map: {} } },
    manual: { ...echo, validate: { type: "manual", title: "T", ...person } },
    choice: {
      type: "choice",
      ...common,
      choices: [{ when: "true", next_step: "wait" }],
      default: "until",
    },
    wait: { type: "wait", ...common, seconds: 1 },
    until: { type: "wait", until: "2030-01-01T00:00:00Z" },
    parallel: { type: "parallel", ...common, branches: { left: branch }, timeout_seconds: 1 },
    each: {
      type: "map",
      ...common,
      ...echo,
      items: [],
      input_map: {},
      config: {},
      retry: {},
      item_timeout_seconds: 1,
      max_concurrency: 0,
      tolerated_failures: "10%",
      timeout_seconds: 1,
    },
    body: { type: "map", items: [], branch },
    jobs: { type: "map", items: [], workflow_id: "w", version: 1, input_map: {} },
    workflow: {
      type: "workflow",
      ...common,
      workflow_id: "w",
      version: 1,
      input_map: {},
      detached: true,
      timeout_seconds: 1,
    },
    event: {
      type: "wait_for_event",
      ...common,
      event: "e",
      key: "k",
      match: "true",
      timeout_seconds: 1,
      on_timeout: "until",
    },
    approval: { type: "approval", ...common, ...person, on_reject: "wait", on_timeout: "until" },
    transform: { type: "transform", ...common, output: 1 },
    succeed: { type: "succeed", title: "T", description: "D", when: "true", output: 1 },
    fail: { type: "fail", title: "T", code: "rejected", message: "m" },
  };
  const ids = Object.keys(steps);
  const chained = Object.fromEntries(
    Object.entries(steps).map(([id, step], i) => [id, { ...step, next_step: ids[i + 1] ?? null }]),
  );
  await register(db, {
    start_step: "task",
    steps: chained,
    concurrency: { max_running: 5, key: "$.job_input.customer" },
    rate_limit: { max_starts: 60, per_seconds: 0.5 + 1 },
  });
});
