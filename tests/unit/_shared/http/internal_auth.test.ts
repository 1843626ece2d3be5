import assert from "node:assert/strict";
import { isInternalCall } from "../../../../supabase/functions/_shared/http/internal_auth.ts";

function opens(apikey: string | undefined, variables: Record<string, string | undefined>): boolean {
  const headers: Record<string, string> = apikey === undefined ? {} : { apikey };
  return isInternalCall(new Request("http://f.test/", { headers }), (name) => variables[name]);
}

Deno.test("isInternalCall() opens to every secret key, old or new", () => {
  const variables = {
    SUPABASE_SECRET_KEYS: `{"default":"sb_secret_a","second":"sb_secret_b"}`,
    SUPABASE_SERVICE_ROLE_KEY: "legacy.jwt.key",
  };
  for (const key of ["sb_secret_a", "sb_secret_b", "legacy.jwt.key"]) {
    assert.equal(opens(key, variables), true, key);
  }
  for (
    const key of [
      undefined,
      "",
      "sb_secret_",
      "sb_secret_ab",
      "sb_secret_asb_secret_a",
      "default",
      "ü",
    ]
  ) {
    assert.equal(opens(key, variables), false, String(key));
  }
});

Deno.test("isInternalCall() stays closed when no key is configured", () => {
  for (
    const variables of [
      {},
      { SUPABASE_SECRET_KEYS: "" },
      { SUPABASE_SECRET_KEYS: "not json" },
      { SUPABASE_SECRET_KEYS: "null" },
      { SUPABASE_SECRET_KEYS: `{"default":""}`, SUPABASE_SERVICE_ROLE_KEY: " " },
      { SUPABASE_SECRET_KEYS: `{"default":5}` },
      { SUPABASE_SECRET_KEYS: `"sb_secret_a"` },
    ]
  ) {
    for (const key of [undefined, "", " ", "null", "undefined", "5", "s"]) {
      assert.equal(opens(key, variables), false, `${JSON.stringify(variables)} ${key}`);
    }
  }
});

Deno.test("isInternalCall() does not look at Authorization", () => {
  const request = new Request("http://f.test/", { headers: { authorization: "Bearer k" } });
  assert.equal(isInternalCall(request, () => "k"), false);
});
