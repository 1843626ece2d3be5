import assert from "node:assert/strict";
import { bareImportsOf } from "../../../scripts/rules/bare_imports.ts";
import { functionConfigs } from "../../../scripts/rules/function_configs.ts";
import { faultsIn } from "../support.ts";

const CONFIG = "[functions.a]\nverify_jwt = false\n";

function project(own: Record<string, string>, toml = CONFIG): Record<string, string> {
  return {
    "deno.json": JSON.stringify({ imports: { x: "npm:x@1.2.3", y: "npm:@a/y@1.0.0-beta.1/sub" } }),
    "supabase/config.toml": toml,
    "supabase/functions/a/index.ts": "",
    "supabase/functions/a/deno.json": JSON.stringify({ imports: own }),
  };
}

const rule = (...used: string[]) => functionConfigs(() => Promise.resolve(new Set(used)));
const PLACE = "supabase/functions/a/deno.json";

Deno.test("functionConfigs() has nothing against a deno.json that agrees", async () => {
  const files = project({ x: "npm:x@1.2.3", y: "npm:@a/y@1.0.0-beta.1/sub" });
  assert.deepEqual(await faultsIn(rule("x", "y"), files), []);
});

Deno.test("functionConfigs() finds what is imported and not listed, and the reverse", async () => {
  assert.deepEqual(await faultsIn(rule("y"), project({ x: "npm:x@1.2.3" })), [
    `${PLACE}: 'y' is imported and not listed`,
    `${PLACE}: 'x' is listed and not imported`,
  ]);
});

Deno.test("functionConfigs() wants one exact version, the root's", async () => {
  assert.deepEqual(
    await faultsIn(rule("x", "z"), project({ x: "npm:x@^1.2.3", z: "npm:z@1.0.0" })),
    [
      `${PLACE}: 'x' must name one exact version on npm: current value is npm:x@^1.2.3`,
      `${PLACE}: 'x' is npm:x@^1.2.3 here and npm:x@1.2.3 in the root`,
      `${PLACE}: 'z' is npm:z@1.0.0 here and nothing in the root`,
    ],
  );
});

Deno.test("functionConfigs() wants verify_jwt for each function, and no other", async () => {
  const toml = "[functions.a]\nenabled = true\n[functions.b]\nverify_jwt = false\n";
  assert.deepEqual(await faultsIn(rule(), project({}, toml)), [
    "supabase/config.toml: [functions.a] must say verify_jwt",
    "supabase/config.toml: [functions.b] is no function",
  ]);
});

Deno.test("functionConfigs() finds a function without a deno.json", async () => {
  const { [PLACE]: _, ...files } = project({});
  assert.deepEqual(await faultsIn(rule(), files), [`${PLACE}: is missing`]);
});

Deno.test("bareImportsOf() goes through everything that a function reaches", async () => {
  const imports = await bareImportsOf("execute-gemini-prompt");
  assert.ok(imports.has("zod"), "imported by _shared");
  assert.ok(imports.has("@google/generative-ai"), "imported by the function itself");
  assert.deepEqual([...imports].filter((name) => /^[.]|^node:/.test(name)), []);
});
