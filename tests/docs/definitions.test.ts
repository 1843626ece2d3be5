import assert from "node:assert/strict";
import { checkDefinition } from "../../supabase/functions/_shared/engine/definition/check.ts";
import { blocksOf, readPages } from "./pages.ts";

const blocks = (await readPages()).flatMap((page) =>
  blocksOf(page).map((block) => ({ ...block, place: `${page.path}:${block.line}` }))
);

for (const { code, place } of blocks.filter(({ info }) => info === "json definition")) {
  Deno.test(`checkDefinition() takes the definition at ${place}`, () => {
    const result = checkDefinition(JSON.parse(code));
    assert.deepEqual(result.ok ? [] : result.problems, []);
  });
}

Deno.test("JSON in the documentation is JSON", () => {
  const broken = blocks.filter(({ info }) => info.split(" ")[0] === "json").flatMap((block) => {
    try {
      JSON.parse(block.code);
      return [];
    } catch (error) {
      return [`${block.place}: ${error}`];
    }
  });
  assert.deepEqual(broken, []);
});
