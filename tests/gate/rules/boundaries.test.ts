import assert from "node:assert/strict";
import { boundaries } from "../../../scripts/rules/boundaries.ts";
import { faultsIn } from "../support.ts";

const FUNCTIONS = "supabase/functions";
const ENTRY = "export default { fetch: handle };\n";

const CASES: [name: string, path: string, text: string, faults: string[]][] = [
  ["a function may import _shared", "a/b.ts", 'import { x } from "../_shared/x.ts";', []],
  ["a function may not import another", "a/b.ts", 'import { x } from "../c/x.ts";', [
    "imports from c",
  ]],
  ["not dynamically either", "a/b.ts", 'await import("../c/x.ts");', ["imports from c"]],
  ["an import in a comment is none", "a/b.ts", '// import { x } from "../c/x.ts"', []],
  ["_shared may not import a function", "_shared/b.ts", 'export * from "../a/x.ts";', [
    "imports the function a",
  ]],
  ["nothing outside of functions is deployed", "a/b.ts", 'import "../../../local/x.ts";', [
    "imports local/x.ts, which is not deployed",
  ]],
  ["versions are pinned in deno.json only", "a/b.ts", 'import z from "npm:zod@4";', [
    "imports npm:zod@4: pin it in deno.json and import it by its name",
  ]],
  [
    "supabase-js is the store's",
    "_shared/http/x.ts",
    'import { a } from "@supabase/supabase-js";',
    [
      "imports @supabase/supabase-js: only _shared/store may",
    ],
  ],
  ["its types are everybody's", "a/x.ts", 'import type { A } from "@supabase/supabase-js";', []],
  ["the store may use it", "_shared/store/x.ts", 'import "@supabase/supabase-js"; c.rpc("f");', []],
  ["an entry has a limit", "a/index.ts", ENTRY + "x;\n".repeat(30), [
    "has 31 lines: an entry has at most 30",
  ]],
  ["an entry exports a handler", "a/index.ts", "Deno.serve(handle);", [
    "must `export default { fetch }`",
  ]],
];

for (const [name, path, text, faults] of CASES) {
  Deno.test(`boundaries: ${name}`, async () => {
    const place = `${FUNCTIONS}/${path}`;
    const expected = faults.map((fault) => `${place}: ${fault}`);
    assert.deepEqual(await faultsIn(boundaries, { [place]: text }), expected);
  });
}

Deno.test("boundaries: only the store calls the database, whatever else has the same name", async () => {
  const place = `${FUNCTIONS}/a/x.ts`;
  const text = [
    'client.rpc("start_job");',
    "client\n  .from<Job>(table);",
    "Array.from(list); Uint8Array.from(list); Buffer.from(text);",
    '// client.rpc("x")',
  ].join("\n");
  assert.deepEqual(await faultsIn(boundaries, { [place]: text }), [
    `${place}:1: calls .rpc(): only _shared/store talks to Postgres`,
    `${place}:3: calls .from<Job>(): only _shared/store talks to Postgres`,
  ]);
});
