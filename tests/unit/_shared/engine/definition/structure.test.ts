import assert from "node:assert/strict";
import { refused } from "./support.ts";
import { FAULTY } from "./structure.ts";

for (const { name, definition, engine } of FAULTY) {
  Deno.test(`checkDefinition() refuses ${name}`, () => {
    assert.deepEqual(refused(definition), engine);
  });
}

/** Of a text that says what is wrong, where that is. */
const placeOf = (text: string) => text.match(/^(?:"[^"]*"|[^\s":]|"\[)+/)?.[0] ?? "";

for (const { name, engine, database } of FAULTY) {
  Deno.test(`checkDefinition() names the places of ${name} that the database names`, () => {
    const own = new Set(engine.map(placeOf));
    const others = new Set(database.map(placeOf));
    // Either may see more: the database looks on where a step cannot be read, the engine at values.
    assert.ok(own.isSubsetOf(others) || others.isSubsetOf(own), [...own, ...others].join(" "));
  });
}
