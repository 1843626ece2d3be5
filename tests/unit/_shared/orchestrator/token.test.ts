import assert from "node:assert/strict";
import { callbackToken } from "../../../../supabase/functions/_shared/orchestrator/token.ts";

Deno.test("callbackToken() is the base64url of the attempt and its HMAC-SHA256", async () => {
  // As `openssl dgst -sha256 -hmac` makes it.
  assert.equal(
    await callbackToken("key of the test", "6f1c0000-0000-4000-8000-00000000000a", {
      step_id: "step-é?",
      visit: 2,
      attempt: 3,
    }),
    "NmYxYzAwMDAtMDAwMC00MDAwLTgwMDAtMDAwMDAwMDAwMDBhOnN0ZXAtw6k_OjI6Mw.AedxLBqjszNT51D__mrukEeLMxUWW4cz8HAuOBMjVoo",
  );
});

Deno.test("callbackToken() differs with the secret and each part of the attempt", async () => {
  const one = { step_id: "a", visit: 1, attempt: 1 };
  const tokens = await Promise.all([
    callbackToken("secret", "job", one),
    callbackToken("Secret", "job", one),
    callbackToken("secret", "Job", one),
    callbackToken("secret", "job", { ...one, step_id: "b" }),
    callbackToken("secret", "job", { ...one, visit: 2 }),
    callbackToken("secret", "job", { ...one, attempt: 2 }),
  ]);
  assert.equal(new Set(tokens).size, tokens.length);
  for (const token of tokens) assert.match(token, /^[\w-]+\.[\w-]+$/);
});
