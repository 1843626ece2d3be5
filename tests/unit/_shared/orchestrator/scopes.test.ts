import assert from "node:assert/strict";
import type { JobWrite, Scope } from "../../../../supabase/functions/_shared/contracts/turn.ts";
import {
  firstScopeKey,
  Scopes,
  spawnedScope,
} from "../../../../supabase/functions/_shared/orchestrator/scopes.ts";
import { aJob } from "../../../support/manual_engine.ts";

function aScope(key: string, more: Partial<Scope> = {}): Scope {
  return { key, parent: null, step_data: {}, ...more } as Scope;
}

function aSpawn(more: Partial<NonNullable<JobWrite["spawn"]>> = {}): JobWrite {
  const spawn = { job_id: "p", step_id: "fan", visit: 3, workflow_id: null, ...more };
  return { spawn } as JobWrite;
}

Deno.test("firstScopeKey() names parent, step, visit and the first run of the child", () => {
  assert.equal(firstScopeKey(aSpawn().spawn as never), "p:fan:3:1");
});

Deno.test("spawnedScope() is what branches see of their parent, and nothing for a workflow", () => {
  const job = aJob({ scope: "outer", step_data: { one: 1 } });
  const scope = spawnedScope(job, aSpawn());
  assert.deepEqual([scope?.key, scope?.parent, scope?.step_data], ["p:fan:3:1", "outer", {
    one: 1,
  }]);
  assert.equal(spawnedScope(job, aSpawn({ workflow_id: "sub" })), null);
  assert.equal(spawnedScope(job, {} as JobWrite), null);
});

Deno.test("add() keeps the first scope of a key until it is forgotten", () => {
  const scopes = new Scopes();
  scopes.add(aScope("a", { item: 1 }));
  scopes.add(aScope("a", { item: 2 }));
  assert.equal(scopes.known.get("a")?.item, 1);
  scopes.forget("a");
  scopes.forget("a");
  assert.equal(scopes.known.size, 0);
  scopes.add(aScope("a", { item: 2 }));
  assert.equal(scopes.known.get("a")?.item, 2);
});

Deno.test("around() gives the scopes from the outermost in, and none where one is missing", () => {
  const scopes = new Scopes();
  const [outer, inner] = [aScope("outer"), aScope("inner", { parent: "outer" })];
  scopes.add(inner);
  assert.equal(scopes.around({ scope: "inner" }, new Map()), null);
  assert.deepEqual(scopes.around({ scope: "inner" }, new Map([["outer", outer]])), [outer, inner]);
  assert.deepEqual(scopes.around({ scope: null }, new Map()), []);
});

Deno.test("trim() keeps 500 scopes, those that were used last", () => {
  const scopes = new Scopes();
  for (let n = 0; n < 501; n++) scopes.add(aScope(`${n}`));
  assert.ok(scopes.around({ scope: "0" }, new Map()));
  scopes.trim();
  const { known } = scopes;
  assert.equal(known.size, 500);
  assert.deepEqual([known.has("0"), known.has("1"), known.has("2")], [true, false, true]);
});

Deno.test("trim() bounds the text of the scopes that are kept, and not of those forgotten", () => {
  const scopes = new Scopes();
  const item = "x".repeat(17 * 1024 * 1024);
  scopes.add(aScope("a", { item }));
  scopes.forget("a");
  scopes.add(aScope("b", { item }));
  scopes.trim();
  assert.deepEqual([...scopes.known.keys()], ["b"]);
  scopes.add(aScope("c", { item }));
  scopes.trim();
  assert.deepEqual([...scopes.known.keys()], ["c"]);
});
