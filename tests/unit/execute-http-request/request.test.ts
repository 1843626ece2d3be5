import assert from "node:assert/strict";
import { failure, requestOf } from "./support.ts";

const URL_ = "https://api.example/v1";

Deno.test("buildRequest() takes the URL from the config, else from the input", async () => {
  assert.equal((await requestOf({ url: URL_ })).url.href, URL_);
  assert.equal((await requestOf({}, { url: URL_ })).url.href, URL_);
  assert.equal((await requestOf({ url: URL_ }, null)).url.href, URL_);
  await assert.rejects(requestOf({}), failure("input_invalid", /'input\.url' is missing/));
  await assert.rejects(
    requestOf({}, { url: "/relative" }),
    failure("input_invalid", /'input\.url' is not an absolute URL/),
  );
  await assert.rejects(
    requestOf({ url: "nowhere" }),
    failure("config_invalid", /'config\.url' is not an absolute URL/),
  );
});

Deno.test("buildRequest() fills placeholders so that data stays in its place", async () => {
  const config = { url: "https://api.example/users/{id}/files?of={name}" };
  const urlOf = async (id: unknown, name: unknown) =>
    (await requestOf(config, { params: { id, name } })).url.href;
  assert.equal(await urlOf(7, "x"), "https://api.example/users/7/files?of=x");
  assert.equal(
    await urlOf("../admin?a=1#x", "a&b=c"),
    "https://api.example/users/..%2Fadmin%3Fa%3D1%23x/files?of=a%26b%3Dc",
  );
  assert.equal(
    await urlOf("@evil.example", "é"),
    "https://api.example/users/%40evil.example/files?of=%C3%A9",
  );
  for (const id of ["", ".", "..", "..."]) {
    await assert.rejects(
      urlOf(id, "x"),
      failure("input_invalid", /'input\.params\.id' must not be/),
    );
  }
  await assert.rejects(
    requestOf(config, { params: { id: 1 } }),
    failure("input_invalid", /'input\.params\.name' is missing/),
  );
  await assert.rejects(
    requestOf({}, { url: "https://api.example/{id}", params: { id: 1 } }),
    failure("input_invalid", /'input\.params\.id' has no place/),
  );
  await assert.rejects(
    requestOf(config, { params: { id: 1, name: 2, more: 3 } }),
    failure("input_invalid", /'input\.params\.more' is not in config\.url/),
  );
  for (
    const url of ["https://{host}/", "https://{t}.example/", "{url}", "https://a.example:{p}/"]
  ) {
    await assert.rejects(
      requestOf({ url }, { params: { host: "x", t: "x", url: "x", p: "1" } }),
      failure("config_invalid", /'config\.url' must not have a placeholder in its host/),
    );
  }
});

Deno.test("buildRequest() encodes the query, repeats arrays and leaves null out", async () => {
  const { url } = await requestOf(
    { url: `${URL_}?fixed=1`, query: { a: ["x", 2], none: null } },
    { query: { q: "a&b=c#d/../é", flag: false } },
  );
  assert.equal(
    url.href,
    `${URL_}?fixed=1&a=x&a=2&q=a%26b%3Dc%23d%2F..%2F%C3%A9&flag=false`,
  );
});

Deno.test("buildRequest() lets the input change nothing that the config fixes", async () => {
  const config = {
    url: `${URL_}?in_url=1`,
    query: { page: 1 },
    headers: { Accept: "application/json" },
    headers_env: { "X-Token": "API_TOKEN" },
    auth: { type: "bearer", token_env_var: "API_TOKEN" },
    body: { a: 1 },
  };
  const cases: [input: unknown, words: RegExp][] = [
    [{ url: "https://evil.example/" }, /'input\.url' is fixed by the config/],
    [{ query: { page: 2 } }, /'input\.query\.page' is fixed/],
    [{ query: { in_url: 2 } }, /'input\.query\.in_url' is in the URL already/],
    [{ headers: { accept: "text/html" } }, /'input\.headers\.accept' is fixed/],
    [{ headers: { "x-token": "mine" } }, /'input\.headers\.x-token' is fixed/],
    [{ headers: { AUTHORIZATION: "mine" } }, /'input\.headers\.AUTHORIZATION' is fixed/],
    [{ body: { a: 2 } }, /'input\.body' is fixed/],
  ];
  for (const [input, words] of cases) {
    await assert.rejects(requestOf(config, input), failure("input_invalid", words));
  }
});

Deno.test("buildRequest() refuses an input that it would not use, and says what it takes", async () => {
  const cases: unknown[] = [{ customer: 1 }, "text", 5, [], { query: "a=b" }, { method: "DELETE" }];
  for (const input of cases) {
    await assert.rejects(
      requestOf({ url: URL_ }, input),
      failure("input_invalid", /takes url, params, query, headers and body/),
      JSON.stringify(input),
    );
  }
  const ignored = await requestOf({ url: URL_, input_as: "none" }, { customer: 1 });
  assert.deepEqual([ignored.method, ignored.body], ["GET", undefined]);
  const whole = await requestOf({ url: URL_, input_as: "body" }, { url: "https://evil.example/" });
  assert.deepEqual(
    [whole.url.href, whole.method, whole.body],
    [URL_, "POST", `{"url":"https://evil.example/"}`],
  );
});

Deno.test("buildRequest() encodes the body by its type", async () => {
  const bodyOf = async (config: Record<string, unknown>, input: unknown) => {
    const { body, headers, method } = await requestOf({ url: URL_, ...config }, input);
    return [method, headers.get("content-type"), body];
  };
  const json = "application/json";
  assert.deepEqual(await bodyOf({}, { body: { a: "é" } }), ["POST", json, `{"a":"é"}`]);
  for (const [body, text] of [[0, "0"], [false, "false"], ["", `""`]]) {
    assert.deepEqual(await bodyOf({}, { body }), ["POST", json, text]);
  }
  assert.deepEqual(await bodyOf({}, { body: null }), ["GET", null, undefined]);
  assert.deepEqual(await bodyOf({ method: "put", body: [1] }, {}), ["PUT", json, "[1]"]);
  assert.deepEqual(await bodyOf({ body_type: "text" }, { body: "plain" }), [
    "POST",
    "text/plain;charset=UTF-8",
    "plain",
  ]);
  assert.deepEqual(
    await bodyOf({ body_type: "form" }, { body: { a: "x y&z", b: [1, 2], c: null } }),
    [
      "POST",
      "application/x-www-form-urlencoded;charset=UTF-8",
      "a=x+y%26z&b=1&b=2",
    ],
  );
  const own = { headers: { "Content-Type": "application/vnd.api+json" } };
  assert.equal((await bodyOf(own, { body: {} }))[1], "application/vnd.api+json");
  await assert.rejects(
    bodyOf({ body_type: "text" }, { body: {} }),
    failure("input_invalid", /'input\.body' must be text/),
  );
  await assert.rejects(
    bodyOf({ body_type: "form" }, { body: "a=b" }),
    failure("input_invalid", /'input\.body' must be an object/),
  );
  await assert.rejects(
    bodyOf({ method: "GET" }, { body: {} }),
    failure("config_invalid", /'config\.method' must be one that carries a body: it is GET/),
  );
});

Deno.test("buildRequest() takes secrets from the environment only", async () => {
  const config = {
    url: URL_,
    headers_env: { "X-Token": "API_TOKEN" },
    auth: { type: "basic", username: "me", password_env_var: "API_PASSWORD" },
  };
  const { headers, secretHeaders } = await requestOf(config);
  assert.equal(headers.get("x-token"), "t0ken");
  assert.equal(headers.get("authorization"), "Basic bWU6cMOkc3N3b3Jk");
  assert.deepEqual(secretHeaders, ["X-Token", "authorization"]);
  const bearer = { url: URL_, auth: { type: "bearer", token_env_var: "API_TOKEN" } };
  assert.equal((await requestOf(bearer)).headers.get("authorization"), "Bearer t0ken");
  assert.deepEqual((await requestOf(bearer)).secrets, ["Bearer t0ken", "t0ken"]);
  assert.deepEqual((await requestOf(config)).secrets, [
    "t0ken",
    "Basic bWU6cMOkc3N3b3Jk",
    "pässword",
  ]);
  const header = { url: URL_, auth: { type: "header", name: "X-Key", token_env_var: "API_TOKEN" } };
  assert.equal((await requestOf(header)).headers.get("x-key"), "t0ken");
  for (const variable of ["NOT_SET", "BLANK"]) {
    await assert.rejects(
      requestOf({ url: URL_, headers_env: { a: variable } }),
      failure("secret_missing", new RegExp(`environment variable '${variable}' is not set`)),
    );
  }
  await assert.rejects(
    requestOf({ url: URL_, headers_env: { a: "WITH_NEWLINE" } }),
    failure("config_invalid", /'config\.headers_env\.a' has a value that a header cannot hold$/),
  );
});

Deno.test("buildRequest() sends secrets only where the config says", async () => {
  const auth = { type: "bearer", token_env_var: "API_TOKEN" };
  for (
    const secrets of [{ auth }, { headers_env: { a: "API_TOKEN" } }, {
      signing_secret_env_var: "SIGNING",
    }]
  ) {
    await assert.rejects(
      requestOf(secrets, { url: "https://evil.example/" }),
      failure("config_invalid", /'config\.allowed_origins' must say where its secrets may be sent/),
    );
  }
  const listed = { auth, allowed_origins: ["https://api.example"] };
  assert.equal((await requestOf(listed, { url: `${URL_}/x` })).url.href, `${URL_}/x`);
  for (
    const url of [
      "https://evil.example/",
      "http://api.example/",
      "https://api.example@evil.example/",
    ]
  ) {
    await assert.rejects(
      requestOf(listed, { url }),
      failure("input_invalid", /'input\.url' is not at one of config\.allowed_origins/),
    );
  }
});

Deno.test("buildRequest() refuses headers of the connection and broken values", async () => {
  for (const name of ["Host", "Content-Length", "Transfer-Encoding", "Connection"]) {
    await assert.rejects(
      requestOf({ url: URL_, headers: { [name]: "x" } }),
      failure("config_invalid", new RegExp(`'config\\.headers\\.${name}' is a header of the conn`)),
    );
  }
  await assert.rejects(
    requestOf({ url: URL_ }, { headers: { "x-a": "1\r\nx-b: 2" } }),
    failure("input_invalid", /'input\.headers\.x-a' has a value/),
  );
});

Deno.test("buildRequest() gives a webhook its key and its signature", async () => {
  const { headers, method, body } = await requestOf(
    { url: URL_, signing_secret_env_var: "SIGNING" },
    { order: 1 },
    "webhook_call",
  );
  assert.deepEqual([method, body], ["POST", `{"order":1}`]);
  assert.equal(headers.get("idempotency-key"), "job:step:1:1");
  assert.equal(headers.get("webhook-id"), "job:step:1:1");
  assert.match(headers.get("webhook-timestamp") ?? "", /^\d{10}$/);
  assert.match(headers.get("webhook-signature") ?? "", /^v1,[A-Za-z0-9+/]{43}=$/);
  await assert.rejects(
    requestOf({ url: URL_, signing_secret_env_var: "API_PASSWORD" }, {}, "webhook_call"),
    failure("config_invalid", /'config\.signing_secret_env_var' must name a variable that holds/),
  );
  assert.equal((await requestOf({ url: URL_ }, null, "webhook_call")).body, "null");
});
