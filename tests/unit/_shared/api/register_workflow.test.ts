import assert from "node:assert/strict";
import { findProblems } from "../../../../supabase/functions/_shared/api/definition_check.ts";
import type { RegisterWorkflow } from "../../../../supabase/functions/_shared/store/api_store.ts";
import { fakeFunction } from "./fake_deps.ts";

const headers = { apikey: "secret" };
const definition = { start_step: "a", steps: { a: { type: "succeed" } } };

/** A database with or without the workflow; `raced` gets it between the update and the insert. */
function registering(has: "nothing" | "workflow" | "raced") {
  const done: string[] = [];
  let there = has === "workflow";
  const write = (verb: string, passes: () => boolean) => (workflow: RegisterWorkflow) => {
    done.push(`${verb} ${workflow.id}`);
    return Promise.resolve(passes() ? 4 : null);
  };
  const { call } = fakeFunction("workflows", {}, {
    findProblems,
    workflows: {
      insert: write("insert", () => {
        const passes = !there && has !== "raced";
        there = true;
        return passes;
      }),
      update: write("update", () => there),
    },
  });
  return { call, done };
}

for (
  const [has, status, steps] of [
    ["nothing", 201, ["update w", "insert w"]],
    ["workflow", 200, ["update w"]],
    ["raced", 200, ["update w", "insert w", "update w"]],
  ] as const
) {
  Deno.test(`putWorkflow() answers ${status} with ${has} there`, async () => {
    const { call, done } = registering(has);
    const reply = await call("/w", { method: "PUT", body: { definition }, token: null, headers });
    assert.deepEqual([reply.status, reply.body], [status, { id: "w", version: 4 }]);
    assert.deepEqual(done, steps);
  });
}

Deno.test("createWorkflow() answers 409 where there is one", async () => {
  const { call } = registering("workflow");
  const body = { id: "w", definition };
  const reply = await call("/", { method: "POST", body, token: null, headers });
  assert.deepEqual([reply.status, reply.body.error.code], [409, "workflow_exists"]);
});

Deno.test("createWorkflow() answers 422 with every problem, and writes nothing", async () => {
  const { call, done } = registering("nothing");
  const steps = { a: { type: "transform", output: "$.[" } };
  const body = { id: "w", definition: { start_step: "b", steps } };
  const reply = await call("/", { method: "POST", body, token: null, headers });
  assert.deepEqual([reply.status, reply.body.error.code], [422, "definition_invalid"]);
  const paths = reply.body.error.details.map((problem: { path: string }) => problem.path);
  assert.ok(paths.includes("start_step") && paths.includes("steps.a.output"), String(paths));
  assert.match(reply.body.error.message, /^Cannot register 'w' as '.+' .+ \(and \d+ more\)$/);
  assert.deepEqual(done, []);
});

for (const [token, status] of [["good", 403], ["bad", 401], [null, 401]] as const) {
  Deno.test(`createWorkflow() answers ${status} without a secret key, token ${token}`, async () => {
    const { call, done } = registering("nothing");
    const reply = await call("/", { method: "POST", body: { id: "w", definition }, token });
    assert.deepEqual([reply.status, done], [status, []]);
  });
}
