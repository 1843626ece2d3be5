import assert from "node:assert/strict";
import type { Caller } from "../../../../supabase/functions/_shared/http/auth.ts";
import { cacheTokens } from "../../../../supabase/functions/_shared/http/token_cache.ts";

function setUp(options: { seconds: number; maxTokens?: number; expiresAt?: number }) {
  const time = { ms: 1_000_000 };
  const asked: string[] = [];
  const verify = cacheTokens((token) => {
    asked.push(token);
    if (token === "bad") return Promise.reject(new Error("refused"));
    return Promise.resolve({ userId: "u", token, expiresAt: options.expiresAt ?? 5_000 });
  }, { ...options, clock: () => time.ms });
  return { verify, asked, time };
}

Deno.test("cacheTokens() asks once within its seconds", async () => {
  const { verify, asked, time } = setUp({ seconds: 10 });
  const expected: Caller = { userId: "u", token: "a", expiresAt: 5_000 };
  assert.deepEqual(await verify("a"), expected);
  time.ms += 9_999;
  assert.deepEqual(await verify("a"), expected);
  assert.deepEqual(asked, ["a"]);
  time.ms += 1;
  await verify("a");
  assert.deepEqual(asked, ["a", "a"]);
});

Deno.test("cacheTokens() never trusts a token past its expiry", async () => {
  const { verify, asked, time } = setUp({ seconds: 10, expiresAt: 1_002 });
  await verify("a");
  time.ms += 2_000;
  await verify("a");
  assert.deepEqual(asked, ["a", "a"]);
});

Deno.test("cacheTokens() does not remember refusals", async () => {
  const { verify, asked } = setUp({ seconds: 10 });
  await assert.rejects(verify("bad"));
  await assert.rejects(verify("bad"));
  assert.deepEqual(asked, ["bad", "bad"]);
});

Deno.test("cacheTokens() forgets the oldest when it is full", async () => {
  const { verify, asked } = setUp({ seconds: 10, maxTokens: 2 });
  for (const token of ["a", "b", "c", "b", "c", "a"]) await verify(token);
  assert.deepEqual(asked, ["a", "b", "c", "a"]);
});

Deno.test("cacheTokens() can be turned off", async () => {
  const { verify, asked } = setUp({ seconds: 0 });
  await verify("a");
  await verify("a");
  assert.deepEqual(asked, ["a", "a"]);
});
