import assert from "node:assert/strict";
import type { TurnReply } from "../../../../supabase/functions/_shared/contracts/turn.ts";
import { Catalog } from "../../../../supabase/functions/_shared/orchestrator/catalog.ts";
import { aJob, ECHO, TWO_STEPS } from "../../../support/manual_engine.ts";

function reply(more: Partial<TurnReply> = {}): TurnReply {
  return {
    definitions: [],
    transformers: null,
    catalog_revision: 1,
    callback_secret: null,
    ...more,
  } as TurnReply;
}

/** Takes a definition as a turn brings it. */
function take(catalog: Catalog, workflow_id: string, version = 1, definition: unknown = TWO_STEPS) {
  catalog.update(reply({ definitions: [{ workflow_id, version, definition }] }));
  catalog.trim();
}

Deno.test("update() keeps transformers until another revision brings others", () => {
  const catalog = new Catalog();
  assert.equal(catalog.revision, null);
  catalog.update(reply({ transformers: [ECHO], catalog_revision: 3, callback_secret: "s" }));
  assert.equal(catalog.revision, 3);
  assert.equal(catalog.callbackSecret, "s");
  catalog.update(reply({ catalog_revision: 4 }));
  assert.equal(catalog.revision, 3, "the rows of revision 4 have not been seen");
  assert.ok(catalog.transformers.has("echo"));
  catalog.update(reply({ transformers: [{ ...ECHO, id: "other" }], catalog_revision: 4 }));
  assert.deepEqual([...catalog.transformers.keys()], ["other"]);
  assert.equal(catalog.callbackSecret, "s");
});

const POLICIES: [retry: unknown, kept: unknown][] = [
  [null, null],
  [undefined, null],
  [{ max_retries: 2 }, { max_retries: 2 }],
  [{}, {}],
  [{ max_retries: -1 }, null],
  [{ max_retries: 1, colour: "red" }, null],
  [[], null],
  ["never", null],
];

for (const [retry, kept] of POLICIES) {
  Deno.test(`update() takes the retry policy ${JSON.stringify(retry)} of a row as ${JSON.stringify(kept)}`, () => {
    const catalog = new Catalog();
    catalog.update(reply({ transformers: [{ ...ECHO, retry }] }));
    assert.deepEqual(catalog.transformers.get("echo")?.retry, kept);
  });
}

Deno.test("definitionOf() finds the version that a job is pinned to", () => {
  const catalog = new Catalog();
  for (const start of ["one", "two"]) {
    const steps = { [start]: { transformer_id: "echo", next_step: null } };
    take(catalog, "w", start === "one" ? 1 : 2, { start_step: start, steps });
  }
  for (const [version, start] of [[1, "one"], [2, "two"]] as const) {
    const job = aJob({ workflow_id: "w", workflow_version: version });
    const found = catalog.definitionOf(job, catalog.known);
    assert.ok("start_step" in found);
    assert.equal(found.start_step, start);
  }
});

Deno.test("definitionOf() tells what is wrong with a definition, and where", () => {
  const catalog = new Catalog();
  const bad: unknown[] = [null, 1, [], {}, { start_step: "x", steps: {} }, {
    start_step: "a",
    steps: { a: { transformer_id: "echo", next_step: "nowhere" } },
  }];
  for (const [version, definition] of bad.entries()) {
    take(catalog, "w", version, definition);
    const job = aJob({ workflow_id: "w", workflow_version: version });
    const found = catalog.definitionOf(job, catalog.known);
    assert.ok("code" in found);
    assert.equal(found.code, "definition_invalid");
    assert.match(found.message, new RegExp(`Version ${version} of workflow 'w' cannot be run: `));
  }
  const last = catalog.definitionOf(aJob({ workflow_id: "w", workflow_version: 5 }), new Map());
  assert.match("message" in last ? last.message : "", /steps\.a\.next_step/);
});

Deno.test("definitionOf() is an error where the database sent none", () => {
  const found = new Catalog().definitionOf(aJob({ workflow_id: "w" }), new Map());
  assert.deepEqual("code" in found && [found.code, found.message], [
    "internal",
    "Definition w@1 did not come with its job",
  ]);
});

Deno.test("trim() lets go of the definitions that were not used for longest", () => {
  const catalog = new Catalog();
  for (let n = 0; n < 100; n++) take(catalog, `w${n}`);
  const known = catalog.known;
  assert.equal(known.size, 100);
  catalog.definitionOf(aJob({ workflow_id: "w0" }), known);
  take(catalog, "one_more");
  assert.equal(catalog.known.size, 100);
  assert.ok(catalog.known.has("w0@1"), "it was used a moment ago");
  assert.ok(!catalog.known.has("w1@1"));
});

Deno.test("definitionOf() finds what was known when the turn began, though it was let go since", () => {
  const catalog = new Catalog();
  take(catalog, "w");
  const known = catalog.known;
  for (let n = 0; n < 100; n++) take(catalog, `w${n}`);
  assert.ok(!catalog.known.has("w@1"));
  assert.ok("steps" in catalog.definitionOf(aJob({ workflow_id: "w" }), known));
  assert.ok(catalog.known.has("w@1"));
});
