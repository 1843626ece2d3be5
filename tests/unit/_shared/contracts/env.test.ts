import assert from "node:assert/strict";
import { ConfigError, readApiEnv } from "../../../../supabase/functions/_shared/contracts/env.ts";

const GOOD: Record<string, string> = {
  SUPABASE_URL: "http://127.0.0.1:54321/",
  SUPABASE_PUBLISHABLE_KEYS: '{"default": "sb_publishable_1"}',
  SUPABASE_SECRET_KEYS: '{"other": "sb_secret_2", "default": "sb_secret_1"}',
};

function read(changes: Record<string, string | undefined> = {}) {
  const variables: Record<string, string | undefined> = { ...GOOD, ...changes };
  return readApiEnv((name) => variables[name]);
}

Deno.test("readApiEnv() fills in the defaults", () => {
  assert.deepEqual(read(), {
    supabaseUrl: "http://127.0.0.1:54321",
    publishableKey: "sb_publishable_1",
    secretKey: "sb_secret_1",
    logLevel: "info",
    maxBodyBytes: 1_114_112,
    maxPayloadBytes: 1_048_576,
    rateLimitPerMinute: 600,
    authCacheSeconds: 10,
    apiTimeoutMs: 8_000,
    kickTimeoutMs: 5_000,
  });
});

Deno.test("readApiEnv() takes an empty variable for one that is not set", () => {
  assert.equal(read({ MAX_BODY_BYTES: " " }).maxBodyBytes, 1_114_112);
});

Deno.test("readApiEnv() takes 0 for no rate limit", () => {
  assert.equal(read({ RATE_LIMIT_PER_MINUTE: "0" }).rateLimitPerMinute, 0);
});

Deno.test("readApiEnv() falls back to the older keys", () => {
  const env = read({
    SUPABASE_PUBLISHABLE_KEYS: undefined,
    SUPABASE_SECRET_KEYS: "",
    SUPABASE_ANON_KEY: "anon",
    SUPABASE_SERVICE_ROLE_KEY: "service",
  });
  assert.deepEqual([env.publishableKey, env.secretKey], ["anon", "service"]);
});

for (
  const [name, value] of [
    ["SUPABASE_URL", undefined],
    ["SUPABASE_URL", "s3cret"],
    ["SUPABASE_URL", "ftp://s3cret"],
    ["SUPABASE_SECRET_KEYS", undefined],
    ["SUPABASE_SECRET_KEYS", "s3cret"],
    ["SUPABASE_SECRET_KEYS", '{"s3cret": 1}'],
    ["SUPABASE_PUBLISHABLE_KEYS", "[]"],
    ["MAX_BODY_BYTES", "s3cret"],
    ["MAX_BODY_BYTES", "-5"],
    ["MAX_PAYLOAD_BYTES", "1"],
    ["RATE_LIMIT_PER_MINUTE", "1e3"],
    ["AUTH_CACHE_SECONDS", "11"],
    ["LOG_LEVEL", "s3cret"],
  ] as const
) {
  Deno.test(`readApiEnv() names ${name} when it is ${value}, not its value`, () => {
    assert.throws(() => read({ [name]: value }), (error: ConfigError) => {
      assert.equal(error.variable, name);
      assert.equal(error.code, "config_invalid");
      assert.match(error.message, new RegExp(`'${name}' must be `));
      assert.doesNotMatch(error.message, /s3cret/);
      return true;
    });
  });
}
