import { strict as assert } from "node:assert";
import { retryableByDefault } from "../../../supabase/functions/_shared/contracts/errors.ts";
import { FAKE_KEY, startFakeGemini } from "../../support/fake_gemini.ts";
import {
  answerOf,
  errorOf,
  finishedFor,
  INVALID_KEY,
  promptBlocked,
  quotaExceeded,
  type ScriptedAnswer,
} from "../../support/gemini_answers.ts";
import { failing, run, serve } from "./support.ts";

interface Expected {
  code: string;
  message: RegExp;
  retryable: boolean;
  retryAfter?: number;
}

const TABLE: Record<string, [answer: ScriptedAnswer, expected: Expected]> = {
  "a prompt that is blocked": [
    promptBlocked("PROHIBITED_CONTENT"),
    {
      code: "gemini.blocked",
      message: /blocked the prompt: PROHIBITED_CONTENT/,
      retryable: false,
    },
  ],
  ...Object.fromEntries(
    ["SAFETY", "RECITATION", "PROHIBITED_CONTENT", "BLOCKLIST", "SPII", "LANGUAGE", "IMAGE_SAFETY"]
      .map((reason): [string, [ScriptedAnswer, Expected]] => [`an answer stopped for ${reason}`, [
        finishedFor(reason),
        { code: "gemini.blocked", message: new RegExp(`answer: ${reason}$`), retryable: false },
      ]]),
  ),
  "no candidates": [
    answerOf("", { candidates: [] }),
    { code: "gemini.empty", message: /no candidates/, retryable: true },
  ],
  "an empty object": [
    { body: {} },
    { code: "gemini.empty", message: /no candidates/, retryable: true },
  ],
  "a candidate without content": [
    finishedFor("STOP"),
    { code: "gemini.empty", message: /no text \(finish reason STOP\)/, retryable: true },
  ],
  "an unknown finish reason without text": [
    finishedFor("OTHER"),
    { code: "gemini.empty", message: /OTHER/, retryable: true },
  ],
  "an answer broken off": [
    finishedFor("OTHER", "Once upon"),
    { code: "invalid_result", message: /broke off its answer: OTHER/, retryable: true },
  ],
  "all tokens spent before a word": [
    finishedFor("MAX_TOKENS"),
    { code: "gemini.max_tokens", message: /max_output_tokens/, retryable: false },
  ],
  "an invalid key": [
    INVALID_KEY,
    { code: "gemini.bad_key", message: /400: API key not valid/, retryable: false },
  ],
  "a key without permission": [
    errorOf(403, "PERMISSION_DENIED", `Consumer 'api_key:${FAKE_KEY}' has been suspended.`),
    { code: "gemini.bad_key", message: /403: Consumer 'api_key:\[key\]'/, retryable: false },
  ],
  "no credentials": [
    errorOf(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."),
    { code: "gemini.bad_key", message: /401/, retryable: false },
  ],
  "an unknown model": [
    errorOf(404, "NOT_FOUND", "models/gemini-1.0 is not found for API version v1beta"),
    { code: "gemini.model_not_found", message: /models\/gemini-1\.0/, retryable: false },
  ],
  "a request that does not fit": [
    errorOf(400, "INVALID_ARGUMENT", "Unknown name \"temprature\" at 'generation_config'"),
    { code: "http_4xx", message: /400: Unknown name "temprature"/, retryable: false },
  ],
  "a quota with RetryInfo": [
    quotaExceeded(),
    { code: "rate_limited", message: /429: You exceeded/, retryable: true, retryAfter: 48 },
  ],
  "a quota with Retry-After": [
    {
      ...errorOf(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted"),
      headers: { "retry-after": "17" },
    },
    { code: "rate_limited", message: /429/, retryable: true, retryAfter: 17 },
  ],
  "an overloaded model": [
    errorOf(503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
    { code: "http_5xx", message: /503: The model is overloaded/, retryable: true },
  ],
  "an inner failure": [
    errorOf(500, "INTERNAL", "An internal error has occurred."),
    { code: "http_5xx", message: /500/, retryable: true },
  ],
  "a proxy's page": [
    { status: 502, body: "<html>Bad gateway</html>", headers: { "content-type": "text/html" } },
    { code: "http_5xx", message: /with 502$/, retryable: true },
  ],
  "success without JSON": [
    { body: "<html>Welcome</html>" },
    { code: "invalid_result", message: /other than JSON/, retryable: true },
  ],
};

for (const [name, [answer, expected]] of Object.entries(TABLE)) {
  Deno.test(`createHandler() maps ${name} to ${expected.code}`, async () => {
    await using gemini = startFakeGemini();
    gemini.script("generateContent", answer);
    const lines: string[] = [];
    const error = await failing(gemini, { input: { prompt: "A private matter" }, lines });
    assert.equal(error.code, expected.code);
    assert.match(error.message, expected.message);
    assert.equal(error.more.retryable ?? retryableByDefault(error.code), expected.retryable);
    assert.equal(error.more.retry_after_seconds, expected.retryAfter);
    const report = JSON.stringify([error.report(), lines]);
    assert.ok(!report.includes(FAKE_KEY) && !report.includes("private"), report);
    assert.equal(gemini.requests.length, 1);
  });
}

Deno.test("createHandler() names the variable of a missing key, and asks nobody", async () => {
  await using gemini = startFakeGemini();
  const error = await failing(gemini, { env: { GEMINI_API_KEY: undefined } });
  assert.equal(error.code, "secret_missing");
  assert.match(error.message, /GEMINI_API_KEY/);
  const other = await failing(gemini, { config: { api_key_env_var: "TEAM_KEY" } });
  assert.match(other.message, /TEAM_KEY/);
  assert.equal(gemini.requests.length, 0);
});

Deno.test("createHandler() reports a bad key by the server's own check", async () => {
  await using gemini = startFakeGemini();
  const error = await failing(gemini, { env: { GEMINI_API_KEY: "not-the-key" } });
  assert.equal(error.code, "gemini.bad_key");
});

Deno.test("createHandler() maps a server that is not there to network", async () => {
  const server = serve(() => new Response());
  await server[Symbol.asyncDispose]();
  const error = await failing(undefined, { env: { GEMINI_BASE_URL: server.url } });
  assert.equal(error.code, "network");
});

Deno.test("createHandler() follows no redirect, which would take the key along", async () => {
  await using other = serve(() => Response.json(answerOf("stolen").body));
  await using proxy = serve(() => Response.redirect(other.url, 307));
  const error = await failing(undefined, { env: { GEMINI_BASE_URL: proxy.url } });
  assert.equal(error.code, "network");
  assert.equal(other.requests.length, 0);
});

Deno.test("createHandler() maps an answer that breaks off to network", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    using connection = await listener.accept();
    await connection.read(new Uint8Array(65_536));
    await connection.write(
      new TextEncoder().encode("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{"),
    );
  })();
  const error = await failing(undefined, {
    env: { GEMINI_BASE_URL: `http://127.0.0.1:${listener.addr.port}` },
  });
  assert.equal(error.code, "network");
  await serving;
});

Deno.test("createHandler() stops at the deadline", async () => {
  await using gemini = startFakeGemini();
  gemini.script("generateContent", { hang: true });
  const stop = new AbortController();
  const working = failing(gemini, { signal: stop.signal });
  while (gemini.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  stop.abort(new DOMException("The deadline has passed", "AbortError"));
  const error = await working;
  assert.equal(error.code, "timeout");
  assert.match(error.message, /deadline passed during generateContent/);
});

Deno.test("createHandler() does not ask once its deadline has passed", async () => {
  await using gemini = startFakeGemini();
  const error = await failing(gemini, { signal: AbortSignal.abort() });
  assert.equal(error.code, "timeout");
  assert.equal(gemini.requests.length, 0);
});

Deno.test("createHandler() leaves the global fetch as it was, also side by side", async () => {
  await using gemini = startFakeGemini();
  const { fetch } = globalThis;
  gemini.script("generateContent", {
    ...errorOf(429, "RESOURCE_EXHAUSTED", "Slow down"),
    headers: { "retry-after": "3" },
  });
  const results = await Promise.allSettled(Array.from({ length: 5 }, () => run(gemini)));
  assert.equal(globalThis.fetch, fetch);
  const failed = results.filter((each) => each.status === "rejected");
  assert.equal(failed.length, 1);
  assert.equal(failed[0]?.reason.more.retry_after_seconds, 3);
});
