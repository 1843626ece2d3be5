import { strict as assert } from "node:assert";
import {
  checkTemplate,
  fillTemplate,
} from "../../../supabase/functions/execute-gemini-prompt/template.ts";

Deno.test("fillTemplate() fills paths of every form", () => {
  const input = { name: "Ada", a: { b: [{ c: 1 }, "x"], "d-e": null }, list: [1, 2], yes: true };
  const table: [template: string, filled: string][] = [
    ["Hi {{name}}", "Hi Ada"],
    ["{{ name }}{{name}}", "AdaAda"],
    ["{{$.name}}", "Ada"],
    ["{{a.b[0].c}} {{a.b.1}}", "1 x"],
    ["{{list}} {{yes}}", "[1,2] true"],
    ["{{a.b[0]}}", '{"c":1}'],
    ["{{a.d-e}}", "null"],
    ["[{{nothing?}}{{a.d-e?}}]", "[]"],
    ["no place }} here", "no place }} here"],
  ];
  for (const [template, filled] of table) {
    assert.equal(checkTemplate(template), undefined);
    assert.equal(fillTemplate("prompt_template", template, input), filled);
  }
});

Deno.test("fillTemplate() does not expand values", () => {
  const input = { a: "{{b}} $& $1 $'", b: "secret" };
  assert.equal(fillTemplate("prompt_template", "<{{a}}>", input), "<{{b}} $& $1 $'>");
});

Deno.test("fillTemplate() names key and path when nothing is found", () => {
  for (const path of ["missing", "name.length", "constructor", "__proto__", "name.x"]) {
    assert.throws(
      () => fillTemplate("prompt_template", `{{${path}}}`, { name: "Ada" }),
      {
        code: "mapping_failed",
        message: `prompt_template: {{${path}}} finds nothing in the step's input`,
      },
    );
  }
});
