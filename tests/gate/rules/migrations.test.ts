import assert from "node:assert/strict";
import { migrations } from "../../../scripts/rules/migrations.ts";
import { faultsIn } from "../support.ts";

const WHY = "-- Why.\n";

const CASES: [name: string, text: string, fault: string | undefined][] = [
  ["20261120000100_create_jobs.sql", WHY, undefined],
  ["20261120000100_create-jobs.sql", WHY, "must be named YYYYMMDDHHMMSS_verb_object.sql"],
  ["2026112000_create_jobs.sql", WHY, "must be named YYYYMMDDHHMMSS_verb_object.sql"],
  ["20260230000100_create_jobs.sql", WHY, "must begin with a date and time that exist"],
  ["20260228240100_create_jobs.sql", WHY, "must begin with a date and time that exist"],
  ["20261120000100_a.sql", "select 1;", "must begin with a comment that says why"],
  ["20261120000100_a.sql", `${WHY}begin;\n`, "must leave transactions to whoever applies it"],
  ["20261120000100_a.sql", `${WHY}do $$\nbegin\n  commit;\nend $$;`, undefined],
];

for (const [name, text, fault] of CASES) {
  Deno.test(`migrations: ${name} with ${JSON.stringify(text)}`, async () => {
    const place = `supabase/migrations/${name}`;
    const expected = fault === undefined ? [] : [`${place}: ${fault}`];
    assert.deepEqual(await faultsIn(migrations, { [place]: text }), expected);
  });
}

Deno.test("migrations: no two have the same version", async () => {
  const files = {
    "supabase/migrations/20261120000100_a.sql": WHY,
    "supabase/migrations/20261120000100_b.sql": WHY,
  };
  assert.deepEqual(await faultsIn(migrations, files), [
    "supabase/migrations/20261120000100_b.sql: has the same version as 20261120000100_a.sql",
  ]);
});
