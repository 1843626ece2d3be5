import assert from "node:assert/strict";
import { SECRET_KEY, withFunction } from "../support/function_process.ts";
import { type Site, withSite } from "../support/site.ts";
import { aTask, parseLines } from "../unit/_shared/executor/support.ts";
import type { Task, TaskResult } from "../../supabase/functions/_shared/contracts/executor.ts";

const OPEN = { HTTP_ALLOW_PRIVATE_NETWORK: "true" };

type Run = (
  type: string,
  config: Record<string, unknown>,
  input?: unknown,
  over?: Partial<Task>,
) => Promise<TaskResult>;

/** The function, allowed to call this machine or not, and a site for it to call. */
async function withBoth(env: Record<string, string>, use: (run: Run, site: Site) => Promise<void>) {
  await withSite((site) =>
    withFunction("execute-http-request", env, async (url) => {
      const run: Run = async (type, config, input = {}, over = {}) => {
        const task = aTask({ type, config, input, ...over });
        const response = await fetch(url, {
          method: "POST",
          headers: { apikey: SECRET_KEY },
          body: JSON.stringify({ tasks: [task] }),
        });
        const [result] = parseLines(await response.text());
        assert.equal(result?.task_id, task.task_id);
        assert.ok(result !== undefined);
        return result;
      };
      await use(run, site);
    })
  );
}

// deno-lint-ignore no-explicit-any -- the tests look into whatever came back
function output(result: TaskResult): any {
  assert.ok(result.status === "completed", JSON.stringify(result));
  return result.output;
}

function error(result: TaskResult) {
  assert.ok(result.status === "failed", JSON.stringify(result));
  return result.error;
}

Deno.test("execute-http-request makes requests of every method and hands back the answer", async () => {
  await withBoth(OPEN, async (run, { origin }) => {
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
      const { status, body, body_encoding, url, headers, duration_ms } = output(
        await run("http_request", { url: `${origin}/echo`, method, query: { q: "a b" } }),
      );
      assert.deepEqual([status, body.method, body.query, body_encoding], [
        200,
        method,
        "?q=a+b",
        "json",
      ]);
      assert.equal(url, `${origin}/echo?q=a+b`);
      assert.match(headers["content-type"], /^application\/json/);
      assert.equal(headers["set-cookie"], undefined);
      assert.ok(duration_ms >= 0);
    }
    const head = output(await run("http_request", { url: `${origin}/echo`, method: "HEAD" }));
    assert.deepEqual([head.status, head.body, head.body_encoding], [200, null, "none"]);
    const empty = output(
      await run("http_request", { url: `${origin}/status/204`, response_type: "json" }),
    );
    assert.deepEqual([empty.status, empty.body], [204, null]);
  });
});

Deno.test("execute-http-request sends body, headers and secrets", async () => {
  await withBoth({ ...OPEN, API_AUTH: "Bearer s3cret" }, async (run, { origin }) => {
    const { body } = output(
      await run(
        "http_request",
        {
          url: `${origin}/echo`,
          headers_env: { Authorization: "API_AUTH" },
          headers: { "x-fixed": 1 },
        },
        { body: { a: [1, "é"] }, headers: { "x-own": "yes" } },
      ),
    );
    assert.deepEqual(JSON.parse(body.body), { a: [1, "é"] });
    assert.deepEqual(
      [
        body.headers["authorization"],
        body.headers["x-fixed"],
        body.headers["x-own"],
        body.headers["user-agent"],
      ],
      ["Bearer s3cret", "1", "yes", "millrace"],
    );
    const missing = error(
      await run("http_request", { url: origin, headers_env: { a: "NO_SUCH" } }),
    );
    assert.equal(missing.code, "secret_missing");
    assert.match(missing.message, /'NO_SUCH'/);
  });
});

Deno.test("execute-http-request downloads JSON, text and bytes", async () => {
  await withBoth(OPEN, async (run, { origin }) => {
    const download = async (path: string) =>
      output(await run("http_download", {}, { url: origin + path }));
    const json = await download("/records.json");
    assert.deepEqual(
      [json.body, json.body_encoding, json.content_type, json.size_bytes],
      [[{ id: 1 }, { id: 2 }], "json", "text/plain", 19],
    );
    const text = await download("/text");
    assert.deepEqual([text.body, text.body_encoding, text.size_bytes], ["grüße", "text", 7]);
    const bytes = await download("/bytes");
    assert.deepEqual([bytes.body, bytes.body_encoding, bytes.size_bytes], ["AAH/", "base64", 3]);
    const zipped = await download("/gzip");
    assert.deepEqual([zipped.body, zipped.size_bytes], [{ zipped: true }, 15]);
  });
});

Deno.test("execute-http-request calls webhooks with a key that stays and a signature", async () => {
  const env = { ...OPEN, HOOK_SECRET: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLhSw" };
  await withBoth(env, async (run, { origin }) => {
    const config = { url: `${origin}/echo`, signing_secret_env_var: "HOOK_SECRET" };
    const input = { url: "https://not-a-target.example/", order: 1 };
    const key = "job:notify:1:1";
    const { body } = output(await run("webhook_call", config, input, { idempotency_key: key }));
    assert.equal(body.method, "POST");
    assert.deepEqual(JSON.parse(body.body), input);
    assert.equal(body.headers["idempotency-key"], key);
    assert.equal(body.headers["webhook-id"], key);
    const signingKey = await crypto.subtle.importKey(
      "raw",
      Uint8Array.from(atob("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLhSw"), (char) => char.charCodeAt(0)),
      { name: "HMAC", hash: "SHA-256" },
      false,
      ["verify"],
    );
    const signed = `${key}.${body.headers["webhook-timestamp"]}.${body.body}`;
    const signature = atob(body.headers["webhook-signature"].replace("v1,", ""));
    assert.ok(
      await crypto.subtle.verify(
        "HMAC",
        signingKey,
        Uint8Array.from(signature, (char) => char.charCodeAt(0)),
        new TextEncoder().encode(signed),
      ),
    );
  });
});

Deno.test("execute-http-request turns statuses into errors that say what to do", async () => {
  await withBoth(OPEN, async (run, { origin }) => {
    const failing = async (status: number, query = "") =>
      error(await run("http_request", { url: `${origin}/status/${status}${query}` }));
    const notFound = await failing(404);
    assert.deepEqual([notFound.code, notFound.details], [
      "http_4xx",
      { status: 404, body_excerpt: "status 404" },
    ]);
    assert.equal((await failing(500)).code, "http_5xx");
    const limited = await failing(429, "?retry-after=7");
    assert.deepEqual([limited.code, limited.retry_after_seconds], ["rate_limited", 7]);
    const down = await failing(
      503,
      `?retry-after=${encodeURIComponent(new Date(Date.now() + 60_000).toUTCString())}`,
    );
    assert.equal(down.code, "http_5xx");
    assert.ok((down.retry_after_seconds ?? 0) > 50 && (down.retry_after_seconds ?? 0) <= 60);
    const expected = { url: `${origin}/status/404`, expected_status: ["2xx", 404] };
    assert.equal(output(await run("http_request", expected)).status, 404);
  });
});

Deno.test("execute-http-request follows redirects, without its secrets to another origin", async () => {
  await withBoth({ ...OPEN, TOKEN: "s3cret" }, (run, first) =>
    withSite(async (second) => {
      const config = {
        auth: { type: "bearer", token_env_var: "TOKEN" },
        headers_env: { "x-key": "TOKEN" },
      };
      const via = (target: string, status = 302) =>
        `${first.origin}/redirect?status=${status}&to=${encodeURIComponent(target)}`;
      const same = output(await run("http_request", { ...config, url: via("/echo") }));
      assert.equal(same.url, `${first.origin}/echo`);
      assert.deepEqual([same.body.headers.authorization, same.body.headers["x-key"]], [
        "Bearer s3cret",
        "s3cret",
      ]);
      const other = output(
        await run("http_request", { ...config, url: via(`${second.origin}/echo`, 307) }, {
          body: 1,
        }),
      );
      assert.deepEqual([other.body.method, other.body.body], ["POST", "1"]);
      assert.doesNotMatch(JSON.stringify(other), /s3cret/);
      const seen = output(await run("http_request", { url: via("/echo", 303) }, { body: 1 }));
      assert.deepEqual([seen.body.method, seen.body.body], ["GET", ""]);
      const loop = via(`${first.origin}/loop`);
      assert.equal(error(await run("http_request", { url: loop })).code, "http.too_many_redirects");
      const kept = output(
        await run("http_request", { url: via("/echo"), follow_redirects: false }),
      );
      assert.deepEqual([kept.status, kept.headers.location], [302, "/echo"]);
      const away = error(await run("http_request", { url: via("ftp://files.example/") }));
      assert.equal(away.code, "http.url_refused");
    }));
});

Deno.test("execute-http-request limits time and size", async () => {
  await withBoth(OPEN, async (run, { origin }) => {
    for (const path of ["/never", "/never-ends"]) {
      const own = error(await run("http_request", { url: origin + path, timeout_seconds: 0.1 }));
      assert.equal(own.code, "timeout");
      assert.match(own.message, /within 0\.1 s, the config's timeout_seconds/);
      const deadline = new Date(Date.now() + 100).toISOString();
      const task = error(await run("http_request", { url: origin + path }, {}, { deadline }));
      assert.deepEqual([task.code, /deadline/.test(task.message)], ["timeout", true]);
    }
    for (const path of ["/large", "/large?announced"]) {
      const large = error(
        await run("http_download", { url: origin + path, max_response_bytes: 1000 }),
      );
      assert.equal(large.code, "payload_too_large");
    }
  });
});

Deno.test("execute-http-request reports what is wrong with an answer or a connection", async () => {
  await withBoth(OPEN, async (run, { origin, closedPort }) => {
    const html = error(await run("http_request", { url: `${origin}/text`, response_type: "json" }));
    assert.equal(html.code, "invalid_result");
    const nul = error(await run("http_request", { url: `${origin}/nul`, response_type: "json" }));
    assert.equal(nul.code, "invalid_result");
    assert.match(nul.message, /output\.body\.a holds \\u0000/);
    const refused = error(
      await run("http_request", { url: `http://127.0.0.1:${closedPort}/?key=hush` }),
    );
    assert.equal(refused.code, "network");
    assert.doesNotMatch(JSON.stringify(refused), /hush/);
    const unknown = error(await run("http_request", { url: "http://no-such-host.invalid/" }));
    assert.equal(unknown.code, "network");
    const broken = error(await run("http_request", { url: `${origin}/breaks-off` }));
    assert.equal(broken.code, "network");
    const config = error(await run("http_request", { url: origin, timeout: 1 }));
    assert.equal(config.code, "config_invalid");
    const input = error(await run("http_request", { url: origin }, { customer: 1 }));
    assert.equal(input.code, "input_invalid");
  });
});

Deno.test("execute-http-request refuses private addresses unless it is allowed to", async () => {
  await withBoth({}, async (run, site) => {
    const { port } = new URL(site.origin);
    const urls = [
      site.origin,
      `http://localhost:${port}/`,
      `http://127.1:${port}/`,
      `http://2130706433:${port}/`,
      `http://0x7f.0.0.1:${port}/`,
      `http://[::1]:${port}/`,
      `http://[::ffff:127.0.0.1]:${port}/`,
      `http://0.0.0.0:${port}/`,
      "http://169.254.169.254/latest/meta-data/",
      "http://10.0.0.1/",
      "http://user:pass@example.com/",
      "file:///etc/passwd",
      "gopher://example.com/",
    ];
    for (const url of urls) {
      const refused = error(await run("http_request", {}, { url }));
      assert.equal(refused.code, "http.url_refused", `${url}: ${refused.message}`);
    }
    assert.equal(site.requests, 0);
  });
});
