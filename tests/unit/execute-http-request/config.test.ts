import assert from "node:assert/strict";
import { readConfig } from "../../../supabase/functions/execute-http-request/config.ts";
import { failure } from "./support.ts";

const read = (config: Record<string, unknown>, type = "http_request") =>
  readConfig({ type, config });

Deno.test("readConfig() fills in what each type does by default", () => {
  const request = read({});
  assert.deepEqual(
    [request.method, request.input_as, request.expected_status, request.max_redirects],
    [undefined, "request", ["2xx"], 5],
  );
  assert.equal(read({}, "http_download").method, "GET");
  const webhook = read({}, "webhook_call");
  assert.deepEqual(
    [webhook.method, webhook.input_as, webhook.idempotency_key_header],
    ["POST", "body", "idempotency-key"],
  );
});

Deno.test("readConfig() takes methods in any case, and null as absent", () => {
  assert.equal(read({ method: "patch" }).method, "PATCH");
  assert.equal(read({ method: null }, "webhook_call").method, "POST");
  assert.equal(read({ auth: null }).auth, undefined);
});

Deno.test("readConfig() expects redirects where it does not follow them", () => {
  const config = read({ follow_redirects: false, max_redirects: 3 });
  assert.deepEqual([config.max_redirects, config.expected_status], [0, ["200-399"]]);
  assert.deepEqual(read({ expected_status: 404 }).expected_status, [404]);
});

Deno.test("readConfig() names the key that is wrong", () => {
  const cases: [config: Record<string, unknown>, words: RegExp][] = [
    [{ timeout: 5 }, /'config\.timeout' is not a known key/],
    [{ method: "TRACE" }, /'config\.method' is wrong/],
    [{ url: 5 }, /'config\.url' is wrong/],
    [{ headers: { "a b": "c" } }, /'config\.headers\.a b' is wrong/],
    [{ headers: { a: {} } }, /'config\.headers\.a' is wrong/],
    [{ headers_env: { a: "NOT-A-NAME" } }, /'config\.headers_env\.a' .*environment variable/],
    [{ auth: { type: "digest" } }, /'config\.auth\.type' is wrong/],
    [{ auth: { type: "bearer", token: "x" } }, /'config\.auth\.token/],
    [{ auth: { type: "basic", username: "a:b", password_env_var: "X" } }, /auth\.username.*colon/],
    [{ query: { a: { b: 1 } } }, /'config\.query\.a' is wrong: must be text/],
    [{ timeout_seconds: 0 }, /'config\.timeout_seconds'/],
    [{ max_redirects: 21 }, /'config\.max_redirects'/],
    [{ max_response_bytes: 1e12 }, /'config\.max_response_bytes'/],
    [{ expected_status: [200, "abc"] }, /'config\.expected_status/],
    [{ expected_status: 99 }, /'config\.expected_status/],
    [{ response_type: "xml" }, /'config\.response_type'/],
    [{ body_type: "multipart" }, /'config\.body_type'/],
    [{ allowed_origins: ["https://a.example/path"] }, /'config\.allowed_origins\.0'.*origin/],
  ];
  for (const [config, words] of cases) {
    assert.throws(() => read(config), failure("config_invalid", words), JSON.stringify(config));
  }
  assert.throws(
    () => read({}, "gemini_prompt"),
    failure("config_invalid", /config\.type' must be one of .*type is gemini_prompt/),
  );
});
