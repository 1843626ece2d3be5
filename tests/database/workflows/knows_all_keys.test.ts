import assert from "node:assert/strict";
import { z } from "zod";
import {
  branchSchema,
  workflowDefinitionSchema,
} from "../../../supabase/functions/_shared/contracts/definition.ts";
import {
  concurrencySchema,
  rateLimitSchema,
} from "../../../supabase/functions/_shared/contracts/definition/admission.ts";
import { choiceStepSchema } from "../../../supabase/functions/_shared/contracts/definition/choice.ts";
import { STEP_SCHEMAS } from "../../../supabase/functions/_shared/contracts/definition/step.ts";
import { validateSchema } from "../../../supabase/functions/_shared/contracts/definition/validate.ts";
import { privateDatabase } from "../../support/private_database.ts";

const file = await privateDatabase();

type Shape = Readonly<Record<string, z.ZodType>>;

/** Every kind of object in a definition, with its keys in the contracts. */
const SHAPES = new Map<string, Shape>([
  ["definition", workflowDefinitionSchema.shape],
  ["branch", branchSchema.shape],
  ["concurrency", concurrencySchema.shape],
  ["rate_limit", rateLimitSchema.shape],
  ["choice", choiceStepSchema.shape.choices.element.shape],
  ...validateSchema.options.map(({ shape }) => [`validate ${nameOf(shape)}`, shape] as const),
  ...STEP_SCHEMAS.map(({ shape }) => [`step ${nameOf(shape)}`, shape] as const),
]);

function nameOf({ type }: { type: z.ZodLiteral<string> }): string {
  return [...type.values].join();
}

file.test("object_keys() knows the kinds of objects that the contracts know", async (db) => {
  const rows = await db`select kind from millrace.object_keys()`;
  assert.deepEqual(rows.map(({ kind }) => kind).toSorted(), [...SHAPES.keys()].toSorted());
});

for (const [kind, shape] of SHAPES) {
  file.test(`key_problems() takes each key of ${kind} that the contracts take`, async (db) => {
    const all = JSON.stringify(Object.fromEntries(Object.keys(shape).map((key) => [key, 1])));
    const rows = await db`select * from millrace.key_problems(${kind}, '', ${all}::text::jsonb)`;
    assert.deepEqual([...rows], []);
  });

  file.test(`object_keys() names no key of ${kind} that the contracts refuse`, async (db) => {
    const rows = await db`select unnest(required || optional) as key
      from millrace.object_keys() where kind = ${kind}`;
    const unknown = rows.map(({ key }) => String(key)).filter((key) => !Object.hasOwn(shape, key));
    assert.deepEqual(unknown, []);
  });
}
