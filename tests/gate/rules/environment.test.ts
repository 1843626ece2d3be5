import assert from "node:assert/strict";
import { environment, variablesRead } from "../../../scripts/rules/environment.ts";
import { faultsIn } from "../support.ts";

const SOURCE = `
const variables = z.object({
  LOG_LEVEL: oneOf(["debug"]).default("debug"),
  MAX_BYTES: integer(1, 2),
});
parseVariables(variables);
Deno.env.get("ONE");
read("TWO");
readKey(read, "SUPABASE_KEYS", "SUPABASE_KEY");
const config = z.object({ api_key_env_var: z.string().regex(/x/).default("THREE") });
// Deno.env.get("COMMENT")
const OTHER = z.object({ TEXT: z.string() });
Deno.env.get("NO_COLOR");
`;
const PATH = "supabase/functions/a/x.ts";

Deno.test("variablesRead() finds every way in which code names a variable", () => {
  const found = variablesRead(new Map([[PATH, SOURCE], ["tests/a.test.ts", 'read("TEST")']]));
  assert.deepEqual([...found.keys()].sort(), [
    ...["LOG_LEVEL", "MAX_BYTES", "NO_COLOR", "ONE", "SUPABASE_KEY", "SUPABASE_KEYS", "THREE"],
    ...["TWO"],
  ]);
});

Deno.test("environment compares .env.example with what code reads", async () => {
  const example =
    "LOG_LEVEL=debug\n# MAX_BYTES=1\nONE=\n#THREE=3\nGONE=1\n# Prose with A = in it\n";
  assert.deepEqual(await faultsIn(environment, { [PATH]: SOURCE, ".env.example": example }), [
    ".env.example: does not list TWO, which supabase/functions/a/x.ts reads",
    ".env.example: lists GONE, which nothing reads",
  ]);
});
